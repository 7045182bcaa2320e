import Foundation

/// Random numbers that are the same in each run (SplitMix64: Steele, Lea and Flood 2014).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Standard normal (Box–Muller).
    mutating func gaussian() -> Double {
        let radius = (-2 * log(Double.random(in: 0x1p-53..<1, using: &self))).squareRoot()
        return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &self))
    }

    /// How many of `calls` happen that have this probability each.
    mutating func binomial(_ calls: Int, _ probability: Double) -> Int {
        (0..<calls).reduce(0) { count, _ in count + (Double.random(in: 0..<1, using: &self) < probability ? 1 : 0) }
    }
}

/// A stationary series for the detectors.
enum Series {
    static func gaussian(_ count: Int, mean: Double = 100, deviation: Double = 5, seed: UInt64) -> [Double] {
        var random = SeededRandom(seed)
        return (0..<count).map { _ in mean + deviation * random.gaussian() }
    }
}
