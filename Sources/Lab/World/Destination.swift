/// The upstream: says what becomes of a call that arrives now. With servers, it remembers the load it was given.
struct Destination: Sendable {
    /// How a call ends for the client.
    struct Fate: Sendable, Hashable {
        var latencyNanoseconds: UInt64
        var ending: CallEnding

        /// Without error and within the objective.
        var isGood: Bool { ending == .success && latencyNanoseconds <= Evaluation.objectiveNanoseconds }
    }

    /// Beyond so long a queue the destination refuses.
    static let queueMax: UInt64 = 2_000_000_000
    static let refusalNanoseconds: UInt64 = 1_000_000

    /// When each server is free again; empty if load does not matter.
    private var freeAt: [UInt64]

    init(_ capacity: Capacity) {
        switch capacity {
        case .unlimited: freeAt = []
        case .servers(let count): freeAt = Array(repeating: 0, count: count)
        }
    }

    /// How long a call that arrives now would wait.
    func waitNanoseconds(at now: UInt64) -> UInt64 {
        guard let soonest = freeAt.min(), soonest > now else { return 0 }
        return soonest - now
    }

    /// What would become of the call, without sending it.
    func fate(of call: PlannedCall, at now: UInt64) -> Fate {
        let wait = waitNanoseconds(at: now)
        if wait > Self.queueMax {
            return Fate(latencyNanoseconds: Self.refusalNanoseconds, ending: .refused)
        }
        let latency = wait + UInt64(call.serviceNanoseconds)
        guard latency < Evaluation.timeoutNanoseconds else {
            return Fate(latencyNanoseconds: Evaluation.timeoutNanoseconds, ending: .timeout)
        }
        return Fate(latencyNanoseconds: latency, ending: call.hasError ? .error : .success)
    }

    /// Sends the call.
    mutating func accept(_ call: PlannedCall, at now: UInt64) -> Fate {
        let fate = fate(of: call, at: now)
        guard fate.ending != .refused, let server = freeAt.indices.min(by: { freeAt[$0] < freeAt[$1] }) else {
            return fate
        }
        freeAt[server] = max(freeAt[server], now) + UInt64(call.serviceNanoseconds)
        return fate
    }
}
