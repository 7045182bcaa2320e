/// Sony's gobreaker v2. Source: its README and the defaults of its Settings.
///
/// More than five failures in a row open it for 60 s, then one call decides. Counts of the closed state are never
/// cleared by time (interval 0). A result of an earlier state is ignored.
public struct GoBreaker: Subject {
    private static let consecutiveFailures = 5
    private static let timeout: UInt64 = 60_000_000_000
    private static let requestsMax = 1

    /// What an observer sees.
    public private(set) var stance = Stance.closed
    private var generation: UInt64 = 0
    private var requests = 0
    private var failuresInRow = 0
    private var successesInRow = 0
    private var openUntil: UInt64 = 0

    /// A closed breaker.
    public init() {}

    /// The permit carries the generation.
    public mutating func admit(now: UInt64) -> Permit? {
        if stance == .open, now > openUntil { change(to: .halfOpen) }
        switch stance {
        case .open: return nil
        case .halfOpen where requests >= Self.requestsMax: return nil
        default: break
        }
        requests += 1
        return Permit(mark: generation)
    }

    /// Counts results of the present generation.
    public mutating func ended(_ call: EndedCall, now: UInt64) {
        if stance == .open, now > openUntil { change(to: .halfOpen) }
        guard call.permit.mark == generation else { return }
        if call.hasFailed {
            failuresInRow += 1
            successesInRow = 0
            if stance == .halfOpen || failuresInRow > Self.consecutiveFailures {
                openUntil = now + Self.timeout
                change(to: .open)
            }
        } else {
            successesInRow += 1
            failuresInRow = 0
            if stance == .halfOpen, successesInRow >= Self.requestsMax { change(to: .closed) }
        }
    }

    private mutating func change(to next: Stance) {
        stance = next
        generation += 1
        (requests, failuresInRow, successesInRow) = (0, 0, 0)
    }
}
