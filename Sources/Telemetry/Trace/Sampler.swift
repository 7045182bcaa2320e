/// Which traces are kept, as a person configures it (`OTEL_TRACES_SAMPLER`).
public enum SamplerChoice: Hashable, Sendable {
    case alwaysOn
    case alwaysOff
    /// Keeps this share of all traces, 0 to 1.
    case ratio(Double)
    /// An incoming context's sampled flag decides; without a context `root` does.
    indirect case parentBased(root: SamplerChoice)
}

/// Decides whether a trace is kept, from its id alone, so that every participant decides alike.
///
/// Implements consistent probability sampling (OpenTelemetry specification, trace/tracestate-probability-sampling):
/// a trace is kept when its 56 bits of randomness are not below the rejection threshold.
public struct Sampler: Sendable {
    /// 0 keeps everything, 2^56 nothing.
    @usableFromInline let threshold: UInt64
    @usableFromInline let followsParent: Bool

    /// A sampler that decides as `choice` says.
    public init(_ choice: SamplerChoice) {
        var root = choice
        var followsParent = false
        while case .parentBased(let inner) = root {
            root = inner
            followsParent = true
        }
        self.followsParent = followsParent
        threshold =
            switch root {
            case .alwaysOn, .parentBased: 0
            case .alwaysOff: Self.thresholdLimit
            case .ratio(let ratio): Self.threshold(keeping: ratio)
            }
    }

    /// Whether a trace that begins here is kept.
    @inlinable
    public func keepsRoot(_ traceID: TraceID) -> Bool {
        traceID.randomness >= threshold
    }

    /// Whether a span under `context`, which came with a message, is kept.
    @inlinable
    public func keeps(childOf context: TraceContext) -> Bool {
        followsParent ? context.isSampled : keepsRoot(context.traceID)
    }

    /// The tracestate member that tells others with which probability a root was kept, `ot=th:...`; nil when no trace
    /// is kept. Belongs only on traces for which `keepsRoot` decided.
    public var traceState: String? { Self.traceState(ofThreshold: threshold) }

    /// As `traceState`, for any threshold.
    public static func traceState(ofThreshold threshold: UInt64) -> String? {
        threshold < thresholdLimit ? "ot=th:\(text(ofThreshold: threshold))" : nil
    }

    /// One more than the largest randomness.
    static let thresholdLimit: UInt64 = 1 << 56

    /// The threshold for a share of `ratio`, rounded to four hexadecimal digits after the leading run of `f`, so that
    /// its text stays short. A ratio that is not a number keeps nothing.
    static func threshold(keeping ratio: Double) -> UInt64 {
        guard ratio > 0 else { return thresholdLimit }
        guard ratio < 1 else { return 0 }
        let exact = thresholdLimit - UInt64((ratio * Double(thresholdLimit)).rounded())
        guard exact < thresholdLimit else { return thresholdLimit }
        // The threshold has 56 bits: moved to the top of the word, its leading `f` digits are leading one bits.
        let leadingDigits = (~(exact << 8)).leadingZeroBitCount / 4
        let droppedDigits = 14 - (leadingDigits + 4)
        guard droppedDigits > 0 else { return exact }
        let unit: UInt64 = 1 << UInt64(4 * droppedDigits)
        return (exact + unit / 2) & ~(unit - 1)
    }

    /// Up to 14 lowercase digits, trailing zeros removed; `0` for zero.
    static func text(ofThreshold threshold: UInt64) -> String {
        var digits = HexadecimalText.text(threshold << 8).prefix(14)
        while digits.count > 1, digits.last == "0" { digits.removeLast() }
        return String(digits)
    }
}
