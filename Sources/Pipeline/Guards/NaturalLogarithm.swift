/// The natural logarithm of a duration in seconds, for every message: good to 0.0001, without a call into a library.
///
/// The exponent of the number is its binary logarithm's whole part; a polynomial of the fourth degree, fitted to the
/// mantissa's range of 1 to 2 at its Chebyshev nodes, gives the rest.
enum NaturalLogarithm {
    /// ln(max(nanoseconds, 1 us) / 1 s).
    @inline(__always)
    static func ofSeconds(nanoseconds: UInt64) -> Double { of(max(nanoseconds, 1_000)) - lnOfBillion }

    /// ln(number), of one at least.
    @inline(__always)
    static func of(_ number: UInt64) -> Double {
        let value = Double(number)
        let bits = value.bitPattern
        let exponent = Double(Int(bits >> 52) &- 1_023)
        let x = Double(bitPattern: bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000)
        let fraction = c0 + x * (c1 + x * (c2 + x * (c3 + x * c4)))
        return (exponent + fraction) * ln2
    }

    private static let ln2 = 0.693_147_180_559_945_3
    private static let lnOfBillion = 20.723_265_836_946_41
    private static let c0 = -2.498353148814
    private static let c1 = 4.029211391071
    private static let c2 = -2.078335168252
    private static let c3 = 0.626032182164
    private static let c4 = -0.078440676209
}
