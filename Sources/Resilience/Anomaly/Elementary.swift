import Glibc

/// The few functions of real numbers that the standard library does not have. Nothing else of the system library is
/// used in this module.
enum Elementary {
    /// The natural logarithm.
    @inline(__always)
    static func ln(_ x: Double) -> Double { log(x) }

    /// e to the power of `x`.
    @inline(__always)
    static func exp(_ x: Double) -> Double { Glibc.exp(x) }

    /// `base` to the power of `exponent`.
    @inline(__always)
    static func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
}

extension Comparable {
    /// The nearest value inside the range.
    @inline(__always)
    func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}
