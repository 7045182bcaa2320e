import Glibc
import Testing

@testable import Lab

@Suite("The simulated world")
struct WorldTests {
    @Test("Equal seeds give equal calls, other seeds other calls")
    func isDeterministic() throws {
        let scenario = try #require(Scenario.named("cold-start"))
        #expect(Workload(scenario, seed: 7).calls == Workload(scenario, seed: 7).calls)
        #expect(Workload(scenario, seed: 7).calls != Workload(scenario, seed: 8).calls)
    }

    @Test("Every scenario offers calls in order, at about its rate", arguments: Scenario.all.map(\.name))
    func arrivals(_ name: String) throws {
        let scenario = try #require(Scenario.named(name))
        let workload = Workload(scenario, seed: 3)
        #expect(zip(workload.calls, workload.calls.dropFirst()).allSatisfy { $0.arrival <= $1.arrival })
        let expected = stride(from: 0.5, to: Evaluation.runSeconds, by: 1).reduce(0) {
            $0 + scenario.rate($1, workload.fault)
        }
        let difference = Double(workload.calls.count) - expected
        #expect(abs(difference) < 5 * expected.squareRoot(), "\(workload.calls.count) calls, expected \(expected)")
        #expect(scenario.faultSeconds.contains(workload.fault.length))
    }

    @Test("Every fault scenario has a fault, no benign one has")
    func faults() {
        for scenario in Scenario.all {
            let workload = Workload(scenario, seed: 1)
            #expect(workload.faultyBeats.contains(true) == (scenario.purpose == .fault), "\(scenario.name)")
        }
        #expect(Scenario.all.count { $0.isCore } == 11)
        #expect(Set(Scenario.all.map(\.name)).count == Scenario.all.count)
    }

    @Test("Latency is log-normal around its median, with the deviation asked for")
    func latencyMoments() {
        var random = LabRandom(seed: 1, stream: "test")
        let distribution = LatencyDistribution(medianSeconds: 0.01)
        let logs = (0..<100_000).map { _ in log(distribution.draw(using: &random)) }
        let mean = logs.reduce(0, +) / 1e5
        let variance = logs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 1e5
        #expect(abs(mean - log(0.01)) < 5 * 0.5 / 1e5.squareRoot())
        #expect(abs(variance - 0.25) < 0.01)
    }

    @Test("The tail follows its exponent")
    func tail() {
        var random = LabRandom(seed: 1, stream: "test")
        let distribution = LatencyDistribution(medianSeconds: 0.01, tailShare: 1, tailFactor: 5, tailExponent: 1.5)
        let draws = (0..<100_000).map { _ in distribution.draw(using: &random) }
        #expect(draws.allSatisfy { $0 >= 0.05 })
        // Four times the least latency is exceeded by 4^-1.5 = 1/8.
        let share = Double(draws.count { $0 > 0.2 }) / 1e5
        #expect(abs(share - 0.125) < 0.005)
    }

    @Test("Random numbers have the moments of their distributions")
    func randomMoments() {
        var random = LabRandom(seed: 5, stream: "moments")
        let uniform = (0..<100_000).map { _ in random.uniform() }
        #expect(abs(uniform.reduce(0, +) / 1e5 - 0.5) < 0.005)
        #expect(uniform.allSatisfy { $0 >= 0 && $0 < 1 })
        let waits = (0..<100_000).map { _ in random.exponential(mean: 3) }
        #expect(abs(waits.reduce(0, +) / 1e5 - 3) < 0.05)
    }

    @Test("Events come out by time, and in the order of entry at one time")
    func heap() {
        var random = LabRandom(seed: 2, stream: "heap")
        var heap = EventHeap<Int>()
        for number in 0..<500 { heap.add(number, at: random.next() % 50) }
        var last: (UInt64, Int) = (0, -1)
        while let event = heap.removeFirst() {
            #expect((last.0, last.1) < (event.time, event.payload))
            last = (event.time, event.payload)
        }
        #expect(heap.nextTime == .max)
    }

    @Test("Servers make calls wait, give up on those that wait too long, and refuse beyond two seconds of queue")
    func servers() {
        var random = LabRandom(seed: 2, stream: "servers")
        var call = PlannedCall(at: 0, under: Conditions(failureShare: 0), using: &random)
        call.serviceNanoseconds = 400_000_000
        var destination = Destination(.servers(1))
        #expect(destination.accept(call, at: 0) == .init(latencyNanoseconds: 400_000_000, ending: .success))
        #expect(destination.accept(call, at: 100_000_000) == .init(latencyNanoseconds: 700_000_000, ending: .success))
        #expect(destination.accept(call, at: 100_000_000).ending == .timeout)
        #expect(destination.waitNanoseconds(at: 200_000_000) == 1_000_000_000)
        for _ in 0..<3 { _ = destination.accept(call, at: 200_000_000) }
        #expect(destination.fate(of: call, at: 200_000_000).ending == .refused)
        #expect(destination.accept(call, at: 10_000_000_000).ending == .success, "an idle server does not remember")
    }
}
