import Foundation
import TestSupport

extension SeededGenerator {
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
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in mean + deviation * random.gaussian() }
    }
}
