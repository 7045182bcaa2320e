import Glibc

/// Repeatable randomness: SplitMix64 (Steele, Lea, Flood 2014). A stream per purpose, so that what one part of a run
/// draws does not move what another part draws.
public struct LabRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// The same seed and stream give the same numbers.
    public init(seed: UInt64, stream: String) {
        // FNV-1a over the name; the standard library's hashes change from process to process.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in stream.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        state = hash ^ (seed &* 0x9e37_79b9_7f4a_7c15)
        _ = next()
    }

    /// 64 random bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }

    /// A number from 0 up to, not including, 1.
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Exponentially distributed with the mean.
    public mutating func exponential(mean: Double) -> Double { -mean * log(1 - uniform()) }

    /// Normally distributed, mean 0 and deviation 1 (Box and Muller; one of the pair).
    public mutating func normal() -> Double {
        (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform())
    }
}
