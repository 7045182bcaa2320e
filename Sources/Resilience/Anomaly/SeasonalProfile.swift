/// What is usual at each time of a period, say at each hour of the week, and how far a value is from it.
///
/// Bins of equal length hold a mean and, where the band is not a line, a mean absolute deviation. A bin is learned
/// once per visit, when it is left, from the mean of that visit: a long visit is no better evidence than a short one.
/// Bins are 32-bit, since a stream needs hundreds of them and a seasonal mean is never exact.
struct SeasonalProfile: Sendable, Hashable {
    /// How much a visit counts once the bin is known well.
    private static let visitWeight = 0.07
    /// A distance below this part of the numbers it was taken from is rounding: a 32-bit bin differs from a constant
    /// series in the last bit, which would be a full alarm on a range of zero.
    private static let rounding = 1e-6

    let periodSeconds: Double
    /// Where the first bin begins, in seconds after the beginning of 1970.
    private let offsetSeconds: Double
    /// Half the width of the band, in mean absolute deviations.
    private let deviations: Float

    private(set) var means: [Float]
    /// Empty where the band is a line.
    private(set) var spreads: [Float]
    private(set) var visits: [UInt16]
    private(set) var current: Int?
    private(set) var sum = 0.0
    private(set) var sumCount: UInt32 = 0

    /// A profile that knows nothing yet.
    init(periodSeconds: Double, offsetSeconds: Double, bins: Int, deviations: Float) {
        self.periodSeconds = periodSeconds
        self.offsetSeconds = offsetSeconds
        self.deviations = deviations
        means = Array(repeating: 0, count: bins)
        spreads = Array(repeating: 0, count: deviations > 0 ? bins : 0)
        visits = Array(repeating: 0, count: bins)
    }

    /// 72 bins of twenty minutes; the band is a line.
    static let day = SeasonalProfile(periodSeconds: 86_400, offsetSeconds: 0, bins: 72, deviations: 0)
    /// 168 hours; 1970-01-01 was a Thursday, the fourth day of the week.
    static let week = SeasonalProfile(periodSeconds: 604_800, offsetSeconds: 3 * 86_400, bins: 168, deviations: 0.5)

    /// Takes the value at a time and returns its signed distance from the band of its bin and the two neighbours; nil
    /// while none of the three is known. The value itself is not part of what it is compared with.
    mutating func distance(_ value: Double, atUnixSeconds seconds: Double) -> Double? {
        let bin = bin(atUnixSeconds: seconds)
        if let current, current != bin, sumCount > 0 { learn(current) }
        current = bin
        sum += value
        sumCount &+= 1
        return distance(value, around: bin)
    }

    private func bin(atUnixSeconds seconds: Double) -> Int {
        let phase = (seconds + offsetSeconds).truncatingRemainder(dividingBy: periodSeconds)
        let bin = Int((phase < 0 ? phase + periodSeconds : phase) * Double(means.count) / periodSeconds)
        return min(bin, means.count - 1)
    }

    private mutating func learn(_ bin: Int) {
        let visit = sum / Double(sumCount)
        let known = Double(visits[bin])
        if visits[bin] > 0, !spreads.isEmpty {
            let weight = max(Self.visitWeight, 1 / known)
            let spread = Double(spreads[bin])
            spreads[bin] = Self.narrow(spread + weight * (abs(visit - Double(means[bin])) - spread))
        }
        let mean = Double(means[bin])
        means[bin] = Self.narrow(mean + max(Self.visitWeight, 1 / (known + 1)) * (visit - mean))
        if visits[bin] < .max { visits[bin] += 1 }
        sum = 0
        sumCount = 0
    }

    private func distance(_ value: Double, around bin: Int) -> Double? {
        var (low, high) = (Double.infinity, -Double.infinity)
        for step in -1...1 {
            let neighbour = (bin + step + means.count) % means.count
            guard visits[neighbour] > 0 else { continue }
            let mean = Double(means[neighbour])
            let half = spreads.isEmpty ? 0 : Double(deviations) * Double(spreads[neighbour])
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
        for spread in spreads { writer.write(spread) }
        for count in visits { writer.write(count) }
        writer.write(Int32(current ?? -1))
        writer.write(sum)
        writer.write(sumCount)
    }

    /// Takes what was learned; period and bins stay those of the receiver.
    mutating func read(from reader: inout StateReader) throws(StateError) {
        for index in means.indices { means[index] = try reader.readFloat() }
        for index in spreads.indices { spreads[index] = try reader.readFloat() }
        for index in visits.indices { visits[index] = try reader.read() }
        let bin: Int32 = try reader.read()
        guard bin < means.count else { throw .value }
        current = bin < 0 ? nil : Int(bin)
        sum = try reader.readFinite()
        sumCount = try reader.read()
    }
}
