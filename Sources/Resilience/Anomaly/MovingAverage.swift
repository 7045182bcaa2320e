/// An exponentially weighted mean that begins as the plain mean: until `1/n` has fallen to the weight of its half-life,
/// all values count the same.
public struct MovingAverage: Sendable, Hashable {
    /// The mean of what was added; 0 before the first value.
    public private(set) var mean = 0.0
    /// How many values were added.
    public private(set) var count: UInt64 = 0
    private let weight: Double

    /// A mean in which a value counts half after `halfLife` further values.
    public init(halfLife: Double) { weight = Self.weight(halfLife: halfLife) }

    /// The weight of the newest value: 1 − 0.5^(1/h).
    static func weight(halfLife: Double) -> Double { 1 - Elementary.power(0.5, 1 / halfLife) }

    /// Takes a value and returns the new mean.
    @discardableResult
    public mutating func add(_ value: Double) -> Double {
        count &+= 1
        if count == 1 { mean = value }
        mean += max(weight, 1 / Double(count)) * (value - mean)
        return mean
    }
}

extension MovingAverage {
    func write(to writer: inout StateWriter) {
        writer.write(mean)
        writer.write(count)
    }

    /// Takes mean and count; the half-life stays that of the receiver.
    mutating func read(from reader: inout StateReader) throws(StateError) {
        mean = try reader.readFinite()
        count = try reader.read()
    }
}
