/// Detector B: how unusual is a number, measured by the range that its own stream has had so far.
///
/// Five causal channels see a sample: its distance from what is usual at this time of day and of the week, a fast mean
/// against a slow one, the level of small misfits, and the level in orders of magnitude. Each is measured in units of
/// its own envelope; the largest counts; confidence grows with history; an episode is reported once. There is nothing
/// to set but the resolution, which is the unit of the signal.
///
/// For warnings, for what people see and for freezing the tuner; it never opens a breaker. New records come even from
/// pure noise, so a score below `warning` should wake nobody. Constant time and size per sample; no sample is kept.
public struct EnvelopeDetector: Sendable, Hashable {
    /// From here on a score warns, and freezes the tuner.
    public static let warning = 0.8
    /// From here on a score marks a point on a dashboard.
    public static let notable = 0.26
    /// Values beyond this are not taken: a difference of two of them could overflow.
    public static let magnitudeMax = 1e290

    /// The envelope excess that gives a score of one half.
    private static let halfScoreExcess = 0.05
    /// Samples after which confidence is 1; it grows with their fifth root.
    private static let confidentSamples = 4000.0

    /// Samples taken.
    public private(set) var count: UInt64 = 0
    /// Samples that were not finite, too large, or not later than the last: not taken.
    public private(set) var skipped: UInt64 = 0
    private var lastSeconds = -Double.infinity
    private let resolution: Double

    private var day = SeasonalProfile(.day)
    private var week = SeasonalProfile(.week)
    private var fast = MovingAverage(halfLife: 8)
    private var slow = MovingAverage(halfLife: 100)
    private var misfit = MovingAverage(halfLife: 72)
    private var magnitude = MagnitudeLevel()
    private var envelopes = Envelopes()
    private var episode = Episode()

    private struct Envelopes: Sendable, Hashable {
        var day = Envelope()
        var week = Envelope()
        var shift = Envelope()
        var misfit = Envelope()
    }

    /// A detector for a signal in which a change of a fifth of `resolution` after perfect flatness is worth a warning;
    /// 0 if any change is.
    public init(resolution: Double) {
        precondition(resolution >= 0 && resolution.isFinite, "a resolution is a finite number, 0 or more")
        self.resolution = resolution
    }

    /// Takes a sample and returns its score, 0 for nothing new up to below 1. Samples come in the order of their times;
    /// one that cannot be taken is counted and scores 0. What comes later never changes a score.
    public mutating func score(_ value: Double, atUnixSeconds seconds: Double) -> Double {
        guard abs(value) <= Self.magnitudeMax, seconds.isFinite, seconds > lastSeconds else {
            skipped &+= 1
            return 0
        }
        lastSeconds = seconds
        let confidence = Elementary.power(Double(count) / Self.confidentSamples, 0.2)
        count &+= 1
        let excess = episode.news(largestExcess(value, seconds) * confidence)
        return excess / (excess + Self.halfScoreExcess)
    }

    private mutating func largestExcess(_ value: Double, _ seconds: Double) -> Double {
        var largest = 0.0
        // A profile that knows nothing feeds neither its envelope nor the level of misfits, so that what these wait
        // for before they report are samples that say something.
        if let distance = day.distance(value, atUnixSeconds: seconds) {
            largest = max(largest, envelopes.day.excess(distance, resolution: resolution))
            let level = misfit.add(abs(distance))
            largest = max(largest, envelopes.misfit.excess(level, resolution: resolution))
        }
        if let distance = week.distance(value, atUnixSeconds: seconds) {
            largest = max(largest, envelopes.week.excess(distance, resolution: resolution))
        }
        let shift = fast.add(value) - slow.add(value)
        largest = max(largest, envelopes.shift.excess(shift, resolution: resolution))
        return max(largest, magnitude.excess(value, resolution: resolution))
    }
}

/// The level of a signal in orders of magnitude, relative to the median of its first samples.
private struct MagnitudeLevel: Sendable, Hashable {
    /// How many samples the unit is taken from.
    private static let unitSamples = 50

    /// The samples that wait for the unit; empty afterwards.
    private(set) var waiting: [Double] = []
    /// 0 until it is known.
    private(set) var unit = 0.0
    private(set) var average = MovingAverage(halfLife: 36)
    private(set) var envelope = Envelope()

    mutating func excess(_ value: Double, resolution: Double) -> Double {
        guard unit == 0 else { return level(value, resolution) }
        // As many as are needed, and no more room than that.
        if waiting.isEmpty { waiting.reserveCapacity(Self.unitSamples) }
        waiting.append(value)
        guard waiting.count == Self.unitSamples else { return 0 }
        let sorted = waiting.map { abs($0) }.sorted()
        let median = sorted[Self.unitSamples / 2 - 1] / 2 + sorted[Self.unitSamples / 2] / 2
        unit = max(median, resolution) + 1e-9
        var excess = 0.0
        for value in waiting { excess = level(value, resolution) }
        waiting = []
        return excess
    }

    private mutating func level(_ value: Double, _ resolution: Double) -> Double {
        let magnitude = Elementary.ln(1 + abs(value) / unit)
        let mean = average.add(value < 0 ? -magnitude : magnitude)
        return envelope.excess(mean, resolution: resolution / unit)
    }
}

extension MagnitudeLevel {
    func write(to writer: inout StateWriter) {
        writer.write(UInt8(waiting.count))
        for value in waiting { writer.write(value) }
        writer.write(unit)
        average.write(to: &writer)
        envelope.write(to: &writer)
    }

    mutating func read(from reader: inout StateReader) throws(StateError) {
        let count: UInt8 = try reader.read()
        guard count < Self.unitSamples else { throw .value }
        waiting = []
        if count > 0 { waiting.reserveCapacity(Self.unitSamples) }
        for _ in 0..<count { waiting.append(try reader.readFinite()) }
        unit = try reader.read(in: 0...EnvelopeDetector.magnitudeMax * 2)
        try average.read(from: &reader)
        envelope = try Envelope(from: &reader)
    }
}

extension EnvelopeDetector: StateCodable {
    /// Number of the byte format; another one is not read.
    private static let stateFormat: UInt64 = 0xB0002

    /// All that was learned, at most 3 KiB; `init(state:)` goes on bit by bit the same.
    public var state: [UInt8] { stateBytes(format: Self.stateFormat) }

    /// Goes on where the detector that gave the state stopped.
    public init(state: [UInt8]) throws(StateError) { try self.init(stateBytes: state, format: Self.stateFormat) }

    func write(to writer: inout StateWriter) {
        writer.write(resolution)
        writer.write(count)
        writer.write(skipped)
        writer.write(lastSeconds.isFinite)
        writer.write(lastSeconds.isFinite ? lastSeconds : 0)
        day.write(to: &writer)
        week.write(to: &writer)
        for average in [fast, slow, misfit] { average.write(to: &writer) }
        magnitude.write(to: &writer)
        for envelope in [envelopes.day, envelopes.week, envelopes.shift, envelopes.misfit] {
            envelope.write(to: &writer)
        }
        episode.write(to: &writer)
    }

    init(from reader: inout StateReader) throws(StateError) {
        self.init(resolution: try reader.read(in: 0...Self.magnitudeMax))
        count = try reader.read()
        skipped = try reader.read()
        let hasLast = try reader.readFlag()
        let last = try reader.readFinite()
        lastSeconds = hasLast ? last : -.infinity
        try day.read(from: &reader)
        try week.read(from: &reader)
        try fast.read(from: &reader)
        try slow.read(from: &reader)
        try misfit.read(from: &reader)
        try magnitude.read(from: &reader)
        envelopes.day = try Envelope(from: &reader)
        envelopes.week = try Envelope(from: &reader)
        envelopes.shift = try Envelope(from: &reader)
        envelopes.misfit = try Envelope(from: &reader)
        episode = try Episode(from: &reader)
    }
}
