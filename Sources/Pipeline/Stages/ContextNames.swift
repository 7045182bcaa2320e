import Telemetry
import Wire

/// The names under which a message carries context, whatever its fields are called, and what their values tell.
enum ContextNames {
    static func isTraceParent(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        name.count == 11 && RESPText.matches(bytes, in: name, "traceparent")
    }

    static func isCorrelation(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        name.count == 13 && RESPText.matches(bytes, in: name, "correlationid")
    }

    static func isCausation(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        name.count == 11 && RESPText.matches(bytes, in: name, "causationid")
    }

    static func isTraceState(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        name.count == 10 && RESPText.matches(bytes, in: name, "tracestate")
    }

    /// Longest text that is kept for a span, enough for the 512 characters that a tracestate may be relied on to keep
    /// (W3C, section 3.3.1.5); a longer one is cut.
    private static let textBytesMax = 512

    static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
        let bounded = range.prefix(textBytesMax)
        return String(decoding: bounded.map { bytes[$0] }, as: UTF8.self)
    }

    /// Whether the text is these bytes: neither cut nor repaired.
    static func isText(_ text: String, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard text.utf8.count == range.count else { return false }
        return zip(text.utf8, range).allSatisfy { $0 == bytes[$1] }
    }

    /// Whether a tracestate is one that we write: the probability of a root, and nothing else.
    static func isProbability(_ bytes: Span<UInt8>, _ value: Range<Int>) -> Bool {
        let longest = 6 + 14
        return (7...longest).contains(value.count)
            && RESPText.matches(bytes, in: value.lowerBound..<(value.lowerBound + 6), "ot=th:")
    }
}
