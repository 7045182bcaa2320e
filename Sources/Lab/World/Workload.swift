/// A call as the client will make it, and what the destination will do with it if it gets there.
///
/// Drawn once per scenario and seed, before any subject runs: every subject then meets the same calls, and the fate of
/// a call that was rejected is known.
public struct PlannedCall: Sendable, Hashable {
    /// When the client makes it, in nanoseconds of the run.
    public var arrival: UInt64
    /// How long the destination works on it. Bounded so that it fits.
    public var serviceNanoseconds: UInt32
    /// The destination will answer with an error.
    public var hasError: Bool
    /// The destination is in a fault when it arrives.
    public var isFaulty: Bool

    static let serviceMax: UInt64 = 4_000_000_000

    init(at arrival: UInt64, under conditions: Conditions, using random: inout LabRandom) {
        self.arrival = arrival
        let service = conditions.latency.draw(using: &random) * 1e9
        serviceNanoseconds = UInt32(min(service, Double(Self.serviceMax)))
        hasError = random.uniform() < conditions.failureShare
        isFaulty = conditions.isFaulty
    }
}

/// All calls of a run, in order of arrival.
public struct Workload: Sendable {
    /// The scenario that was drawn.
    public let scenario: Scenario
    /// The seed.
    public let seed: UInt64
    /// The fault of this seed.
    public let fault: FaultWindow
    /// Whether the destination is in a fault, per beat.
    let faultyBeats: [Bool]
    /// Poisson arrivals at the scenario's rate (thinning: Lewis and Shedler 1979).
    public let calls: [PlannedCall]

    /// Draws a run.
    public init(_ scenario: Scenario, seed: UInt64) {
        self.scenario = scenario
        self.seed = seed
        let fault = scenario.fault(seed: seed)
        self.fault = fault
        let beatSeconds = Double(Evaluation.beatNanoseconds) / 1e9
        faultyBeats = (0...Int(Evaluation.runSeconds / beatSeconds)).map {
            scenario.conditions(Double($0) * beatSeconds, fault).isFaulty
        }
        var arrivals = LabRandom(seed: seed, stream: "arrivals")
        var fates = LabRandom(seed: seed, stream: "fates")
        var calls: [PlannedCall] = []
        calls.reserveCapacity(Int(scenario.rateMax * Evaluation.runSeconds))
        var now = 0.0
        while true {
            now += arrivals.exponential(mean: 1 / scenario.rateMax)
            guard now < Evaluation.runSeconds else { break }
            let rate = scenario.rate(now, fault)
            if rate < scenario.rateMax, arrivals.uniform() * scenario.rateMax >= rate { continue }
            let conditions = scenario.conditions(now, fault)
            calls.append(PlannedCall(at: UInt64(now * 1e9), under: conditions, using: &fates))
        }
        self.calls = calls
    }
}
