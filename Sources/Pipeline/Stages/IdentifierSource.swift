public import Telemetry

/// Makes trace and span ids. A value with explicit state: the seed comes from outside, so a test can repeat a run.
///
/// The generator is xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018). Ids need
/// to be unlikely to collide, not secret.
public struct IdentifierSource: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    /// Begins at `seed`, 256 bits from outside; the all-zero seed, which the generator could not leave, is replaced.
    public init(seed: (UInt64, UInt64, UInt64, UInt64)) {
        // The all-zero state is the one that the generator cannot leave.
        state = seed == (0, 0, 0, 0) ? (1, 2, 3, 4) : seed
    }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        let scrambled = Self.rotate(state.1 &* 5, 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = Self.rotate(state.3, 45)
        return scrambled
    }

    /// A new trace id, never all zero.
    public mutating func traceID() -> TraceID {
        let id = TraceID(high: next(), low: next())
        return id.isValid ? id : TraceID(high: 0, low: 1)
    }

    /// A new span id, never zero.
    public mutating func spanID() -> SpanID {
        let value = next()
        return SpanID(value == 0 ? 1 : value)
    }

    /// A span id that `InjectionMark` recognises inside `traceID`.
    public mutating func markedSpanID(in traceID: TraceID) -> SpanID {
        InjectionMark.mark(next(), in: traceID)
    }

    private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
        value << count | value >> (64 &- count)
    }
}

/// How any Tachograph recognises a context that a Tachograph has written into a message, without an extra field.
///
/// Of the 64 bits of such a span id, the high 40 are random and the low 24 are a hash of the trace id and of those 40.
/// A foreign context passes by accident once in 2^24. It matters only for `deliver: strip`, which removes what we
/// added and nothing else, and which also demands that the fields stand last in the entry, where injection puts them.
public enum InjectionMark {
    private static let checkMask: UInt64 = 0x00ff_ffff

    @inline(__always)
    static func mark(_ random: UInt64, in traceID: TraceID) -> SpanID {
        // A zero random part would allow the invalid all-zero span id.
        let high = random & ~checkMask == 0 ? 1 << 24 : random & ~checkMask
        return SpanID(high | check(high, traceID))
    }

    /// Whether a Tachograph wrote this context.
    @inline(__always)
    public static func isPresent(in context: TraceContext) -> Bool {
        let high = context.spanID.value & ~checkMask
        return context.spanID.value & checkMask == check(high, context.traceID)
    }

    /// The finalizer of MurmurHash3 (Appleby, 2011) over the mixed words.
    @inline(__always)
    private static func check(_ high: UInt64, _ traceID: TraceID) -> UInt64 {
        var mixed = high ^ traceID.low ^ (traceID.high &* 0x9e37_79b9_7f4a_7c15)
        mixed = (mixed ^ mixed >> 33) &* 0xff51_afd7_ed55_8ccd
        mixed = (mixed ^ mixed >> 33) &* 0xc4ce_b9fe_1a85_ec53
        return (mixed ^ mixed >> 33) & checkMask
    }
}
