/// How fast a replay goes.
public enum ReplayPace: Sendable, Hashable {
    /// As the events were appended, pauses included.
    case original
    /// So many times as fast.
    case faster(Double)
    /// Without waiting.
    case atOnce

    /// When an event is due, in milliseconds of the Unix time, in a replay that began at `start` with an event that was
    /// appended at `first`.
    public func due(appendedAt appended: Int64, first: Int64, start: Int64) -> Int64 {
        let since = max(appended - first, 0)
        switch self {
        case .original: return start + since
        case .faster(let factor):
            guard factor > 0 else { return start }
            return start + Int64(min(Double(since) / factor, 4e15))
        case .atOnce: return start
        }
    }
}

/// What a piece of a replay did.
public struct ReplayReport: Sendable, Hashable {
    /// Events that were replayed.
    public var replayed: Int
    /// Events that were left out: the group has them in its hands already.
    public var skipped: Int
    /// The offset of the last event that was looked at: the next piece begins behind it. Nil when there was none.
    public var lastOffset: Int64?
}
