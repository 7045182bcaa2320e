import Glibc
public import Pipeline

/// Reads the clocks, once per arrival of bytes. The only place on the data path where time comes from.
public enum SystemClock {
    /// Both readings, one right after the other.
    public static func now() -> Instant {
        Instant(monotonicNanoseconds: monotonicNanoseconds(), unixNanoseconds: read(CLOCK_REALTIME))
    }

    /// Since some moment in the past; only differences mean anything.
    public static func monotonicNanoseconds() -> UInt64 { read(CLOCK_MONOTONIC) }

    /// Since the beginning of 1970.
    public static func unixNanoseconds() -> UInt64 { read(CLOCK_REALTIME) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        // Fails only for an unknown clock or a bad address.
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
