/// The range that a quantity has ever had, shrinking slowly towards its mean, and by how much of that range a value
/// goes beyond it.
struct Envelope: Sendable, Hashable {
    /// Values before anything is reported.
    static let warmUp: UInt64 = 100
    private static let decay = MovingAverage.weight(halfLife: 30_000)

    private(set) var low = 0.0
    private(set) var high = 0.0
    private(set) var mean = 0.0
    private(set) var count: UInt64 = 0

    /// Takes a value and returns its excess in units of the range so far, 0 to 1. A range smaller than `resolution`
    /// counts as `resolution`. The envelope jumps to the value, so an extreme counts once.
    mutating func excess(_ value: Double, resolution: Double) -> Double {
        guard count > 0 else {
            (low, high, mean, count) = (value, value, value, 1)
            return 0
        }
        let range = max(high - low, resolution)
        high -= Self.decay * (high - mean)
        low += Self.decay * (mean - low)
        var excess = 0.0
        if value > high {
            excess = range > 0 ? (value - high) / range : 1
            high = value
        } else if value < low {
            excess = range > 0 ? (low - value) / range : 1
            low = value
        }
        let isWarm = count >= Self.warmUp
        mean += (value - mean) / (Double(count) + 1)
        count &+= 1
        return isWarm ? min(excess, 1) : 0
    }
}

extension Envelope: StateCodable {
    func write(to writer: inout StateWriter) {
        for number in [low, high, mean] { writer.write(number) }
        writer.write(count)
    }

    init(from reader: inout StateReader) throws(StateError) {
        low = try reader.readFinite()
        high = try reader.readFinite()
        mean = try reader.readFinite()
        count = try reader.read()
    }
}

/// Reports the first of a row of excesses and then only what is far worse: one alarm per episode.
struct Episode: Sendable, Hashable {
    /// Values after the last peak until the episode is over.
    static let quietValues: UInt32 = 35
    /// How much worse a second alarm of the same episode must be.
    static let gain = 3.0

    private(set) var peak = 0.0
    private(set) var age: UInt32 = 0

    /// The excess if it is news, else 0.
    mutating func news(_ excess: Double) -> Double {
        if age >= Self.quietValues { peak = 0 }
        let news = excess > Self.gain * peak ? excess : 0
        if excess >= peak {
            peak = excess
            age = 0
        } else {
            age &+= 1
        }
        return news
    }
}

extension Episode: StateCodable {
    func write(to writer: inout StateWriter) {
        writer.write(peak)
        writer.write(age)
    }

    init(from reader: inout StateReader) throws(StateError) {
        peak = try reader.readFinite()
        age = try reader.read()
    }
}
