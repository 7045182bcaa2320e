/// Compares pieces of held bytes with words, and reads decimal numbers out of them, without copying.
public enum ASCIIText {
    /// Whether these bytes are the word, byte for byte.
    @inlinable @inline(__always)
    public static func isSame(_ bytes: Span<UInt8>, in range: Range<Int>, _ word: StaticString) -> Bool {
        guard range.count == word.utf8CodeUnitCount else { return false }
        return hasPrefix(bytes, in: range, word)
    }

    /// Whether these bytes begin with the word.
    @inlinable @inline(__always)
    public static func hasPrefix(_ bytes: Span<UInt8>, in range: Range<Int>, _ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard range.count >= count else { return false }
        for index in 0..<count where bytes[range.lowerBound &+ index] != word.utf8Start[index] { return false }
        return true
    }

    /// Where this byte first stands in the range; the range's end when it does not. Eight bytes at a time.
    @inlinable
    public static func place(of byte: UInt8, _ bytes: Span<UInt8>, in range: Range<Int>) -> Int {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        let pattern = UInt64(byte) &* 0x0101_0101_0101_0101
        var index = range.lowerBound
        while index &+ 8 <= range.upperBound {
            let word = bytes.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian ^ pattern
            // The lowest bit that is set is that of the first zero byte.
            let zeros = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
            if zeros != 0 { return index &+ zeros.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < range.upperBound, bytes[index] != byte { index &+= 1 }
        return index
    }

    /// Where the first blank or control character stands in the range; the range's end when there is none.
    @inlinable
    public static func placeOfBlank(_ bytes: Span<UInt8>, in range: Range<Int>) -> Int {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        var index = range.lowerBound
        while index &+ 8 <= range.upperBound {
            let word = bytes.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian
            // Bytes below 0x21, of which the first is the lowest bit that is set.
            let blanks = (word &- 0x2121_2121_2121_2121) & ~word & 0x8080_8080_8080_8080
            if blanks != 0 { return index &+ blanks.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < range.upperBound, bytes[index] > 0x20 { index &+= 1 }
        return index
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
