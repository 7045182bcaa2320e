import Glibc

extension Scenario {
    /// All scenarios: the eleven of the protocol first.
    public static let all: [Scenario] = faults + benign + load + added

    /// The scenario of this name.
    public static func named(_ name: String) -> Scenario? { all.first { $0.name == name } }

    private static let faults: [Scenario] = [
        Scenario("latency-step", "median latency x15 for 200-400 s", .fault) { now, fault in
            fault.contains(now) ? Conditions(medianMilliseconds: 150, isFaulty: true) : Conditions()
        },
        Scenario("latency-ramp", "median 10 to 300 ms over 200-400 s, faulty from 50 ms", .fault) { now, fault in
            ramp(now, fault)
        },
        Scenario("error-burst", "60 % failures for 30 s", .fault, faultSeconds: 30...30) { now, fault in
            fault.contains(now) ? Conditions(failureShare: 0.6, isFaulty: true) : Conditions()
        },
        Scenario("brown-out", "15 % failures at 20 ms for 200-400 s", .fault) { now, fault in
            fault.contains(now)
                ? Conditions(medianMilliseconds: 20, failureShare: 0.15, isFaulty: true) : Conditions()
        },
        Scenario("hard-down", "every call fails for 200-400 s", .fault) { now, fault in
            fault.contains(now) ? Conditions(failureShare: 1, isFaulty: true) : Conditions()
        },
        Scenario("flapping", "80 % failures for 10 s of every 30 s, 200-400 s long", .fault) { now, fault in
            let isBurst = fault.contains(now) && (now - fault.begin).truncatingRemainder(dividingBy: 30) < 10
            return isBurst ? Conditions(failureShare: 0.8, isFaulty: true) : Conditions()
        },
        Scenario("cold-start", "0.5 calls/s, 2 % failures, then all fail for 200-400 s", .fault, rateMax: 0.5) {
            now, fault in
            fault.contains(now)
                ? Conditions(failureShare: 1, isFaulty: true) : Conditions(failureShare: 0.02)
        },
    ]

    private static let benign: [Scenario] = [
        Scenario(
            "diurnal", "10 to 200 calls/s, latency x2.5 at the peak", .benign, rateMax: 200,
            rate: { now, _ in 10 + 190 * tide(now) }
        ) { now, _ in Conditions(medianMilliseconds: 10 * (1 + 1.5 * tide(now))) },
        Scenario("drift", "latency x3 over the run", .benign) { now, _ in
            Conditions(medianMilliseconds: 10 * (1 + 2 * now / Evaluation.runSeconds))
        },
        Scenario("noisy-low", "2 calls/s, 35 % failures for 8 s every 5 min", .benign, rateMax: 2) { now, _ in
            let isNoisy = now >= 300 && now.truncatingRemainder(dividingBy: 300) < 8
            return Conditions(failureShare: isNoisy ? 0.35 : 0.005)
        },
        Scenario("deploy-blip", "6 s at 40 ms and 5 % failures", .benign) { now, _ in
            (1_200..<1_206).contains(now)
                ? Conditions(medianMilliseconds: 40, failureShare: 0.05) : Conditions()
        },
    ]

    private static let load: [Scenario] = [
        Scenario(
            "overload", "50 to 250 calls/s for 200-400 s on servers that manage 177", .fault, isCore: false,
            rateMax: 250, capacity: .servers(2), rate: { now, fault in fault.contains(now) ? 250 : 50 }
        ) { now, fault in Conditions(isFaulty: fault.contains(now)) },
        Scenario(
            "retry-storm", "20 s of failures, 3 retries each, on servers that manage 177 calls/s", .fault,
            isCore: false, faultSeconds: 20...20, rateMax: 100, capacity: .servers(2), retries: 3
        ) { now, fault in
            fault.contains(now)
                ? Conditions(medianMilliseconds: 40, failureShare: 0.5, isFaulty: true) : Conditions()
        },
    ]

    private static let added: [Scenario] = [
        Scenario("stall", "no call is answered for 200-400 s: evidence comes a second late", .fault, isCore: false) {
            now, fault in
            fault.contains(now)
                ? Conditions(medianMilliseconds: 60_000, isFaulty: true) : Conditions()
        },
        Scenario(
            "rare-key", "0.05 calls/s, all fail for 600-1000 s", .fault, isCore: false, faultSeconds: 600...1_000,
            rateMax: 0.05
        ) { now, fault in
            fault.contains(now) ? Conditions(failureShare: 1, isFaulty: true) : Conditions()
        },
        Scenario(
            "long-ramp", "median 10 to 300 ms over 30 min, faulty from 50 ms", .fault, isCore: false,
            faultSeconds: 1_800...1_800, faultBegin: 540
        ) { now, fault in ramp(now, fault) },
        Scenario("heavy-tail", "2 % of calls from a Pareto tail above 50 ms", .benign, isCore: false) { _, _ in
            var conditions = Conditions()
            conditions.latency.tailShare = 0.02
            return conditions
        },
    ]

    private static func ramp(_ now: Double, _ fault: FaultWindow) -> Conditions {
        guard fault.contains(now) else { return Conditions() }
        let median = 10 + 290 * (now - fault.begin) / fault.length
        return Conditions(medianMilliseconds: median, isFaulty: median >= 50)
    }

    /// 0 at both ends of the run, 1 in its middle.
    private static func tide(_ now: Double) -> Double { (1 - cos(2 * .pi * now / Evaluation.runSeconds)) / 2 }
}
