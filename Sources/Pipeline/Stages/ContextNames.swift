import Telemetry
import Wire

/// The names under which a message carries context, whatever its fields are called, and what their values tell.
enum ContextNames {
    static func isTraceParent(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        isWord(bytes, name, "traceparent")
    }

    static func isCorrelation(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        isWord(bytes, name, "correlationid")
    }

    static func isCausation(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        isWord(bytes, name, "causationid")
    }

    static func isTraceState(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        isWord(bytes, name, "tracestate")
    }

    /// Whether a name is a word of 8 to 16 small letters, in any case: its first and its last eight bytes are compared at
    /// once. Only a letter becomes a small letter when the bit that tells them apart is set.
    @inline(__always)
    private static func isWord(_ bytes: Span<UInt8>, _ name: Range<Int>, _ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard name.count == count, name.lowerBound >= 0, name.upperBound <= bytes.count else { return false }
        let caseBits: UInt64 = 0x2020_2020_2020_2020
        let spelled = UnsafeRawPointer(word.utf8Start)
        let first = bytes.bytes.unsafeLoadUnaligned(fromByteOffset: name.lowerBound, as: UInt64.self) | caseBits
        guard first == spelled.loadUnaligned(as: UInt64.self) else { return false }
        let last = bytes.bytes.unsafeLoadUnaligned(fromByteOffset: name.upperBound &- 8, as: UInt64.self) | caseBits
        return last == spelled.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
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
