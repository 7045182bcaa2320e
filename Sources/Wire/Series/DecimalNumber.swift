/// Decimal text to the nearest double.
///
/// Where significand and power of ten are both exact as doubles, one multiplication or division rounds correctly
/// (Clinger, "How to Read Floating Point Numbers Accurately", 1990): most numbers that measure something. The others
/// go to the standard library.
public enum DecimalNumber {
    /// The number; nil where the text is none. `nan` and `inf` are numbers in this sense.
    public static func parse(_ text: ArraySlice<UInt8>) -> Double? {
        text.withUnsafeBufferPointer { bytes in
            guard let parts = Parts(bytes) else { return special(bytes) }
            if let exact = parts.exact { return exact }
            return Double(String(decoding: bytes, as: UTF8.self))
        }
    }

    /// Whether the text is also a number of JSON, which has no leading zeros or signs and no empty halves.
    public static func isJSON(_ text: ArraySlice<UInt8>) -> Bool {
        var digits = text.first == UInt8(ascii: "-") ? text.dropFirst() : text
        guard let first = digits.first, isDigit(first) else { return false }
        digits = digits.dropFirst()
        if first == UInt8(ascii: "0"), let second = digits.first, isDigit(second) { return false }
        // What remains was parsed already, so only an empty fraction can be wrong.
        guard let point = digits.firstIndex(of: UInt8(ascii: ".")) else { return parse(text)?.isFinite == true }
        let next = digits.index(after: point)
        return next < digits.endIndex && isDigit(digits[next]) && parse(text)?.isFinite == true
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    private static func special(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
        let text = String(decoding: bytes, as: UTF8.self).lowercased()
        switch text {
        case "nan", "+nan", "-nan": return .nan
        case "inf", "+inf", "infinity", "+infinity": return .infinity
        case "-inf", "-infinity": return -.infinity
        default: return nil
        }
    }

    /// Sign, significand and exponent of well-formed text.
    private struct Parts {
        private static let powers: [Double] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
            1e19, 1e20, 1e21, 1e22,
        ]
        /// An exponent beyond this is infinity or zero, however long the significand; it bounds the arithmetic.
        private static let exponentMax = 100_000

        var isNegative = false
        var significand: UInt64 = 0
        var digitCount = 0
        var exponent = 0

        init?(_ bytes: UnsafeBufferPointer<UInt8>) {
            var position = 0
            let count = bytes.count
            if position < count, bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: "+") {
                isNegative = bytes[position] == UInt8(ascii: "-")
                position += 1
            }
            let whole = takeDigits(bytes, &position)
            var fraction = 0
            if position < count, bytes[position] == UInt8(ascii: ".") {
                position += 1
                fraction = takeDigits(bytes, &position)
            }
            guard whole + fraction > 0 else { return nil }
            exponent = -fraction
            if position < count, bytes[position] | 0x20 == UInt8(ascii: "e") {
                position += 1
                var isDown = false
                if position < count, bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: "+") {
                    isDown = bytes[position] == UInt8(ascii: "-")
                    position += 1
                }
                guard position < count else { return nil }
                var power = 0
                while position < count, isDigit(bytes[position]) {
                    power = min(power * 10 + Int(bytes[position] &- UInt8(ascii: "0")), Self.exponentMax)
                    position += 1
                }
                exponent += isDown ? -power : power
            }
            guard position == count else { return nil }
        }

        private mutating func takeDigits(_ bytes: UnsafeBufferPointer<UInt8>, _ position: inout Int) -> Int {
            let first = position
            while position < bytes.count, isDigit(bytes[position]) {
                // After nineteen digits it is not exact anyway, and must not overflow.
                if digitCount < 19 { significand = significand * 10 + UInt64(bytes[position] &- UInt8(ascii: "0")) }
                if significand > 0 { digitCount += 1 }
                position += 1
            }
            return position - first
        }

        /// The number, if one rounding is enough.
        var exact: Double? {
            guard digitCount < 19, significand <= 1 << 53, abs(exponent) <= 22 else { return nil }
            let magnitude = Double(significand)
            let number =
                exponent < 0 ? magnitude / Self.powers[-exponent] : magnitude * Self.powers[exponent]
            return isNegative ? -number : number
        }
    }
}
