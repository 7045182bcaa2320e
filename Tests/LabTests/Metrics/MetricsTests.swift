import Testing

@testable import Lab

@Suite("What a run comes to")
struct MetricsTests {
    /// 10 calls/s that take 10 ms; from second 20 to 40 all fail.
    private static let outage = Scenario(
        "outage", "for tests", .fault, faultSeconds: 20...20, faultBegin: 20, rateMax: 10
    ) { now, fault in
        fault.contains(now) ? Conditions(failureShare: 1, isFaulty: true) : Conditions(failureShare: 0)
    }

    /// Closed but between two moments.
    private struct Scripted: Subject {
        var opensAt: UInt64
        var closesAt: UInt64
        var stance = Stance.closed

        init(_ opensAt: Double, _ closesAt: Double) {
            self.opensAt = UInt64(opensAt * 1e9)
            self.closesAt = UInt64(closesAt * 1e9)
        }

        mutating func beat(now: UInt64) { stance = now >= opensAt && now < closesAt ? .open : .closed }
        mutating func admit(now: UInt64) -> Permit? { stance == .open ? nil : Permit() }
        mutating func ended(_ call: EndedCall, now: UInt64) {}
    }

    private func run(_ subject: any Subject) -> (RunMetrics, Workload) {
        let workload = Workload(Self.outage, seed: 1)
        return (Simulation.run(workload, subject: subject), workload)
    }

    private func calls(_ workload: Workload, _ seconds: Range<Double>) -> Int {
        workload.calls.count { seconds.contains(Double($0.arrival) / 1e9) }
    }

    @Test("Without a breaker every call of the fault is exposed")
    func exposed() {
        let (metrics, workload) = run(NoBreaker())
        #expect(metrics.exposed == calls(workload, 20..<40))
        #expect(metrics.loss == metrics.exposed)
        #expect(metrics.detectSeconds == nil)
        #expect(metrics.recoverySeconds == nil)
        #expect(metrics.admitted == workload.calls.count)
    }

    @Test("Open from 2 s after the fault's begin to 3 s after its end")
    func inTheFault() {
        let (metrics, workload) = run(Scripted(22, 43))
        #expect(metrics.detectSeconds == 2)
        #expect(metrics.exposed == calls(workload, 20..<22))
        #expect(metrics.rejectedBadInFault == calls(workload, 22..<40))
        #expect(metrics.rejectedHealthy == calls(workload, 40..<43))
        #expect(metrics.recoverySeconds == 3)
        #expect(metrics.falseOpens == 0)
        #expect(metrics.opensPerMinute == 3)
    }

    @Test("An open before the fault is false, and so is one more than 5 s after it")
    func falseOpens() {
        #expect(run(Scripted(10, 11)).0.falseOpens == 1)
        #expect(run(Scripted(44, 45)).0.falseOpens == 0)
        #expect(run(Scripted(46, 47)).0.falseOpens == 1)
        #expect(run(Scripted(46, 47)).0.rejectedHealthy > 0)
    }

    @Test("Calls that a fault would not have harmed count as rejected good")
    func rejectedGood() {
        var scenario = Self.outage
        scenario.conditions = { now, fault in
            Conditions(failureShare: fault.contains(now) ? 0.5 : 0, isFaulty: fault.contains(now))
        }
        let workload = Workload(scenario, seed: 1)
        let metrics = Simulation.run(workload, subject: Scripted(20, 40))
        let inFault = workload.calls.filter { (20..<40).contains(Double($0.arrival) / 1e9) }
        #expect(metrics.rejectedGoodInFault == inFault.count { !$0.hasError })
        #expect(metrics.rejectedBadInFault == inFault.count { $0.hasError })
    }

    @Test("A subject hears of a call when it ends, not when it begins")
    func inFlight() {
        struct Listener: Subject {
            var stance: Stance { heard.isEmpty ? .closed : .open }
            var heard: [UInt64] = []
            mutating func admit(now: UInt64) -> Permit? { Permit(mark: now) }
            mutating func ended(_ call: EndedCall, now: UInt64) {
                precondition(now == call.permit.mark + call.latencyNanoseconds)
                heard.append(now)
            }
        }
        #expect(run(Listener()).0.opens == 1)
    }

    @Test("Median and 95th percentile of few and many values")
    func spread() {
        #expect(Spread([]) == nil)
        #expect(Spread([3])?.median == 3)
        #expect(Spread([4, 1, 2, 3])?.median == 2.5)
        #expect(Spread((1...20).map(Double.init))?.p95 == 19)
        #expect(Spread((1...100).map(Double.init))?.p95 == 95)
    }

    @Test("Numbers are written the same way everywhere")
    func decimals() {
        #expect(Decimal.text(1, digits: 1) == "1")
        #expect(Decimal.text(1.25, digits: 3) == "1.25")
        #expect(Decimal.text(-0.04, digits: 1) == "0")
        #expect(Decimal.text(-2.06, digits: 1) == "-2.1")
        #expect(Decimal.text(0.005, digits: 3) == "0.005")
        #expect(Decimal.text(12_345.999, digits: 2) == "12346")
    }

    @Test("An experiment gives the same report whatever the order of its pieces")
    func report() throws {
        let experiment = Experiment(
            scenarios: [Self.outage], subjects: [.none, .envoy, .gobreaker], seeds: 1...3)
        let pieces = (0..<3).map { experiment.run(piece: $0) }
        let backwards = Array((0..<3).reversed().map { experiment.run(piece: $0) }.reversed())
        #expect(experiment.report(pieces).json == experiment.report(backwards).json)
        let scenario = try #require(experiment.report(pieces).scenarios.first)
        #expect(scenario.bestFixed != nil)
        #expect(experiment.report(pieces).text.contains("WORSE"), "no breaker lost more, and the table says so")
    }
}
