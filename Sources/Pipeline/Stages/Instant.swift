/// One reading of both clocks, taken by the IO shell when bytes arrive and passed down as a value.
///
/// Durations come from the monotonic reading, time stamps from the wall clock; nothing in this module asks for the time.
public struct Instant: Hashable, Sendable {
    /// From a clock that never goes back; its zero means nothing.
    public var monotonicNanoseconds: UInt64
    /// Since 1970-01-01T00:00:00Z.
    public var unixNanoseconds: UInt64

    /// Both readings, taken together.
    public init(monotonicNanoseconds: UInt64, unixNanoseconds: UInt64) {
        self.monotonicNanoseconds = monotonicNanoseconds
        self.unixNanoseconds = unixNanoseconds
    }

    /// Nanoseconds since `earlier`; zero if the readings came out of order.
    @inline(__always)
    public func nanoseconds(since earlier: Instant) -> UInt64 {
        monotonicNanoseconds > earlier.monotonicNanoseconds
            ? monotonicNanoseconds &- earlier.monotonicNanoseconds : 0
    }
}
