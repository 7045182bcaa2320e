/// What is usual at each time of a period, say at each hour of the week, and how far a value is from it.
///
/// Bins of equal length hold a mean and, where the band is not a line, a mean absolute deviation. A bin is learned
/// once per visit, when it is left, from the mean of that visit: a long visit is no better evidence than a short one.
/// Means are 32-bit, deviations 16-bit and visits are counted to 15, since a stream needs hundreds of bins, a seasonal mean
/// is never exact, and after 14 visits all weigh the same.
struct SeasonalProfile: Sendable, Hashable {
    /// How much a visit counts once the bin is known well.
    private static let visitWeight = 0.07
    /// A distance below this part of the numbers it was taken from is rounding: a 32-bit bin differs from a constant
    /// series in the last bit, which would be a full alarm on a range of zero.
    private static let rounding = 1e-6

    /// What repeats itself.
    enum Period: Sendable, Hashable {
        /// 72 bins of twenty minutes; the band is a line.
        case day
        /// 168 hours; the band is half a mean absolute deviation wide to each side.
        case week

        var seconds: Double { self == .day ? 86_400 : 604_800 }
        /// Where the first bin begins: 1970-01-01 was a Thursday, the fourth day of the week.
        var offsetSeconds: Double { self == .day ? 0 : 3 * 86_400 }
        var bins: Int { self == .day ? 72 : 168 }
        /// Half the width of the band, in mean absolute deviations.
        var deviations: Double { self == .day ? 0 : 0.5 }
    }

    private let period: Period
    private(set) var means: [Float]
    /// Empty where the band is a line.
    private(set) var spreads: [ShortFloat]
    private(set) var visits: SmallCounts
    private var current: Int16 = -1
    private(set) var sumCount: UInt32 = 0
    private(set) var sum = 0.0

    /// A profile that knows nothing yet.
    init(_ period: Period) {
        self.period = period
        means = Array(repeating: 0, count: period.bins)
        spreads = Array(repeating: ShortFloat(0), count: period.deviations > 0 ? period.bins : 0)
        visits = SmallCounts(count: period.bins)
    }

    /// Takes the value at a time and returns its signed distance from the band of its bin and the two neighbours; nil
    /// while none of the three is known. The value itself is not part of what it is compared with.
    mutating func distance(_ value: Double, atUnixSeconds seconds: Double) -> Double? {
        let bin = bin(atUnixSeconds: seconds)
        if current >= 0, Int(current) != bin, sumCount > 0 { learn(Int(current)) }
        current = Int16(bin)
        sum += value
        sumCount &+= 1
        return distance(value, around: bin)
    }

    private func bin(atUnixSeconds seconds: Double) -> Int {
        let phase = (seconds + period.offsetSeconds).truncatingRemainder(dividingBy: period.seconds)
        let bin = Int((phase < 0 ? phase + period.seconds : phase) * Double(means.count) / period.seconds)
        return min(bin, means.count - 1)
    }

    private mutating func learn(_ bin: Int) {
        let visit = sum / Double(sumCount)
        let known = Double(visits[bin])
        if visits[bin] > 0, !spreads.isEmpty {
            let weight = max(Self.visitWeight, 1 / known)
            let spread = Double(spreads[bin].value)
            spreads[bin] = ShortFloat(Self.narrow(spread + weight * (abs(visit - Double(means[bin])) - spread)))
        }
        let mean = Double(means[bin])
        means[bin] = Self.narrow(mean + max(Self.visitWeight, 1 / (known + 1)) * (visit - mean))
        visits[bin] += 1
        sum = 0
        sumCount = 0
    }

    private func distance(_ value: Double, around bin: Int) -> Double? {
        var (low, high) = (Double.infinity, -Double.infinity)
        for step in -1...1 {
            let neighbour = (bin + step + means.count) % means.count
            guard visits[neighbour] > 0 else { continue }
            let mean = Double(means[neighbour])
            let half = spreads.isEmpty ? 0 : period.deviations * Double(spreads[neighbour].value)
            low = min(low, mean - half)
            high = max(high, mean + half)
        }
        guard low <= high else { return nil }
        let distance = value > high ? value - high : value < low ? value - low : 0
        return abs(distance) <= Self.rounding * max(abs(value), abs(low), abs(high)) ? 0 : distance
    }

    /// The nearest 32-bit number that is finite.
    private static func narrow(_ value: Double) -> Float {
        Float(value.clamped(to: -Double(Float.greatestFiniteMagnitude)...Double(Float.greatestFiniteMagnitude)))
    }
}

extension SeasonalProfile {
    func write(to writer: inout StateWriter) {
        for mean in means { writer.write(mean) }
        for spread in spreads { writer.write(spread.bits) }
        for byte in visits.bytes { writer.write(byte) }
        writer.write(current)
        writer.write(sum)
        writer.write(sumCount)
    }

    /// Takes what was learned; period and bins stay those of the receiver.
    mutating func read(from reader: inout StateReader) throws(StateError) {
        for index in means.indices { means[index] = try reader.readFloat() }
        for index in spreads.indices {
            spreads[index] = ShortFloat(bits: try reader.read())
            guard spreads[index].value.isFinite else { throw .value }
        }
        try visits.read(from: &reader)
        current = try reader.read()
        guard current < means.count else { throw .value }
        sum = try reader.readFinite()
        sumCount = try reader.read()
    }
}
