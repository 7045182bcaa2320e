/// Compares pieces of held bytes with words, and reads decimal numbers out of them, without copying.
public enum ASCIIText {
    /// Whether these bytes are the word, byte for byte.
    @inline(__always)
    public static func isSame(_ bytes: Span<UInt8>, in range: Range<Int>, _ word: StaticString) -> Bool {
        guard range.count == word.utf8CodeUnitCount else { return false }
        return hasPrefix(bytes, in: range, word)
    }

    /// Whether these bytes begin with the word.
    @inline(__always)
    public static func hasPrefix(_ bytes: Span<UInt8>, in range: Range<Int>, _ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard range.count >= count else { return false }
        for index in 0..<count where bytes[range.lowerBound &+ index] != word.utf8Start[index] { return false }
        return true
    }

    /// The number that these bytes spell: digits only, at least one, within 64 bits.
    public static func unsigned(_ bytes: Span<UInt8>, in range: Range<Int>) -> UInt64? {
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
