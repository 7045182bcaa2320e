/// Reads words, numbers and stream entry ids out of held bytes, without copying them.
///
/// Ranges are indices of the bytes given (`RESPToken.valueRange` for a buffer that starts with the frame) and must lie
/// within them.
public enum RESPText {
    /// Whether these bytes spell the word, without regard to the case of ASCII letters, as Redis compares its own words.
    @inlinable
    public static func matches(_ bytes: Span<UInt8>, in range: Range<Int>, _ word: StaticString) -> Bool {
        word.withUTF8Buffer { matches(bytes, in: range, $0.span) }
    }

    /// Whether these bytes spell the word, without regard to the case of ASCII letters.
    @inlinable
    public static func matches(_ bytes: Span<UInt8>, in range: Range<Int>, _ word: [UInt8]) -> Bool {
        matches(bytes, in: range, word.span)
    }

    @inlinable
    static func matches(_ bytes: Span<UInt8>, in range: Range<Int>, _ word: Span<UInt8>) -> Bool {
        guard range.count == word.count else { return false }
        for index in 0..<word.count where lowercased(bytes[range.lowerBound + index]) != lowercased(word[index]) {
            return false
        }
        return true
    }

    @inlinable
    static func lowercased(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        default: byte
        }
    }

    /// The number these bytes spell; nil unless in the one spelling Redis accepts (no plus sign, no leading zeros, no
    /// blanks, not `-0`) and within 64 bits.
    public static func integer(_ bytes: Span<UInt8>, in range: Range<Int>) -> Int? {
        guard let first = range.first else { return nil }
        let isNegative = bytes[first] == UInt8(ascii: "-")
        let digits = isNegative ? range.dropFirst() : range
        guard let leading = digits.first else { return nil }
        if bytes[leading] == UInt8(ascii: "0") { return range.count == 1 ? 0 : nil }
        guard let magnitude = unsigned(bytes, in: digits) else { return nil }
        return isNegative ? Int(exactly: -Int128(magnitude)) : Int(exactly: magnitude)
    }

    /// The two halves of a stream entry id, `milliseconds-sequence` or `milliseconds` alone; nil if it is neither, as
    /// are `*`, `$`, `>`, `+`, `-` and the partial `milliseconds-*`.
    ///
    /// - Parameter missingSequence: what stands for a sequence that is not given; the end of a range means the highest.
    public static func entryID(
        _ bytes: Span<UInt8>, in range: Range<Int>, missingSequence: UInt64 = 0
    ) -> (milliseconds: UInt64, sequence: UInt64)? {
        guard let dash = range.first(where: { bytes[$0] == UInt8(ascii: "-") }) else {
            return unsigned(bytes, in: range).map { ($0, missingSequence) }
        }
        guard let milliseconds = unsigned(bytes, in: range.lowerBound..<dash),
            let sequence = unsigned(bytes, in: dash + 1..<range.upperBound)
        else { return nil }
        return (milliseconds, sequence)
    }

    /// Digits only, at least one, within 64 bits.
    private static func unsigned(_ bytes: Span<UInt8>, in range: Range<Int>) -> UInt64? {
        guard !range.isEmpty else { return nil }
        var value: UInt64 = 0
        for index in range {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            let (tens, tensOverflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflow) = tens.addingReportingOverflow(UInt64(digit))
            guard !tensOverflow, !sumOverflow else { return nil }
            value = sum
        }
        return value
    }
}
