/// How slow one call in a thousand is, by extreme value theory: a generalised Pareto distribution fitted to what lies
/// beyond the 98 % quantile (SPOT: Siffer et al., KDD 2017, "Anomaly Detection in Streams with Extreme Value Theory").
///
/// Works on the logarithm of latency relative to the destination's own mean, so that a slow drift of the whole level
/// needs no new calibration (the paper's DSPOT). The values are kept as a histogram of fixed size and 16-bit counts, which
/// are halved when one of them is full, so that old ones fade; the fit is by moments.
public struct PeaksOverThreshold: Sendable, Hashable {
    /// Values before there is a fit.
    public static let calibrationCount = 1000.0
    /// The accepted risk: the share of healthy calls that may lie beyond the quantile.
    public static let risk = 1e-3

    private static let peakShare = 0.02
    /// Eight bins for each doubling, from a quarter of the mean to a thousandfold.
    private static let binWidth = 0.693147180559945 / 8
    private static let lowest = -2 * 0.693147180559945
    private static let binCount = 96
    /// So that what is older than about a hundred thousand values fades.
    private static let binMax: UInt16 = 24_000
    private static let shapeRange = -0.5...0.5

    private var counts: [UInt16] = Array(repeating: 0, count: binCount)
    /// Values that the fit rests on; old ones count less.
    public var count: Double { counts.reduce(0) { $0 + Double($1) } }

    /// No value yet.
    public init() {}

    /// Learns that a call took so long, as the natural logarithm of latency over the usual latency. What lies beyond the
    /// present quantile is an anomaly and is not learned.
    public mutating func learn(logRatio: Double, present: Double?) {
        guard logRatio.isFinite, logRatio <= present ?? .infinity else { return }
        let bin = Int(((logRatio - Self.lowest) / Self.binWidth).clamped(to: 0...Double(Self.binCount - 1)))
        if counts[bin] >= Self.binMax { for index in counts.indices { counts[index] /= 2 } }
        counts[bin] += 1
    }

    /// The log ratio that only `risk` of the calls exceed; nil before the calibration is complete.
    public var quantile: Double? {
        let count = count
        guard count >= Self.calibrationCount else { return nil }
        var beyond = 0.0
        var first = Self.binCount
        while first > 0, beyond < Self.peakShare * count {
            first -= 1
            beyond += Double(counts[first])
        }
        let threshold = Self.lowest + Double(first) * Self.binWidth
        var (sum, squares) = (0.0, 0.0)
        for index in first..<Self.binCount {
            let excess = (Double(index - first) + 0.5) * Self.binWidth
            sum += Double(counts[index]) * excess
            squares += Double(counts[index]) * excess * excess
        }
        guard beyond > 0 else { return nil }
        let mean = sum / beyond
        let variance = max(squares / beyond - mean * mean, Self.binWidth * Self.binWidth / 12)
        let ratio = mean * mean / variance
        let shape = (0.5 * (1 - ratio)).clamped(to: Self.shapeRange)
        // The scale that keeps the mean of the excesses, whatever the shape was limited to.
        let scale = mean * (1 - shape)
        return threshold + Self.growth(shape: shape, scale: scale, share: Self.risk * count / beyond)
    }

    /// The excess that the share of the peaks lies beyond.
    private static func growth(shape: Double, scale: Double, share: Double) -> Double {
        if abs(shape) < 1e-6 { return -scale * Elementary.ln(share) }
        return scale / shape * (Elementary.power(share, -shape) - 1)
    }
}

extension PeaksOverThreshold {
    /// Forgets all but the given share of its evidence.
    mutating func fade(to share: Double) {
        for index in counts.indices { counts[index] = UInt16(Double(counts[index]) * share.clamped(to: 0...1)) }
    }

    func write(to writer: inout StateWriter) {
        for bin in counts { writer.write(bin) }
    }

    mutating func read(from reader: inout StateReader) throws(StateError) {
        for index in counts.indices { counts[index] = try reader.read() }
    }
}
