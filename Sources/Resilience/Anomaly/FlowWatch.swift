/// What passed a key in ten seconds, in sums: everything that is watched beside calls and their latency.
public struct FlowTally: Sendable, Hashable {
    /// Messages that were published or delivered.
    public var messages = 0.0
    /// Deliveries among them that were not the first of their message.
    public var redeliveries = 0.0
    /// Messages whose time in the queue is known, and the sum of its natural logarithm in seconds.
    public var queueTimes = 0.0
    /// See `queueTimes`.
    public var queueLogSum = 0.0
    /// Messages that a consumer has settled, and the sum of the logarithm of the seconds that it took.
    public var processTimes = 0.0
    /// See `processTimes`.
    public var processLogSum = 0.0
    /// Messages whose size is known, and the sum of the logarithm of their bytes.
    public var sizes = 0.0
    /// See `sizes`.
    public var sizeLogSum = 0.0
    /// Messages that wait for the consumers, where the broker has told it in passing.
    public var toldLag: Double?

    /// Nothing has passed.
    public init() {}

    /// Messages that wait: as told, or else by Little's law, the rate of deliveries times their time in the queue. Nil
    /// where nothing tells.
    public var lag: Double? {
        if let toldLag { return toldLag }
        guard queueTimes > 0 else { return nil }
        return messages / FlowWatch.tickSeconds * Elementary.exp(queueLogSum / queueTimes)
    }
}

/// What is watched of a flow.
public enum FlowSignal: UInt8, Sendable, Hashable, CaseIterable {
    case throughput
    case queueTime
    case processTime
    case lag
    case redeliveries
    case messageSize

    /// The name in metrics.
    public var name: String {
        switch self {
        case .throughput: "throughput"
        case .queueTime: "queue_time"
        case .processTime: "process_time"
        case .lag: "lag"
        case .redeliveries: "redeliveries"
        case .messageSize: "message_size"
        }
    }

    /// The least deviation that a score is measured by: of logarithms, and of a share. Smaller ones are no news.
    fileprivate var deviationFloor: Float { self == .redeliveries ? 0.02 : 0.15 }

    /// The value of ten seconds; nil where they say nothing of it.
    fileprivate func value(_ tally: FlowTally) -> Double? {
        switch self {
        case .throughput: Elementary.ln(1 + tally.messages)
        case .queueTime: tally.queueTimes > 0 ? tally.queueLogSum / tally.queueTimes : nil
        case .processTime: tally.processTimes > 0 ? tally.processLogSum / tally.processTimes : nil
        case .lag: tally.lag.map { Elementary.ln(1 + max(0, $0)) }
        // As if twenty more had come for the first time: one of one is no record.
        case .redeliveries: tally.messages > 0 ? tally.redeliveries / (tally.messages + 20) : nil
        case .messageSize: tally.sizes > 0 ? tally.sizeLogSum / tally.sizes : nil
        }
    }
}

/// How unusual the flow of a key is: detector A's method, a standard score against an exponentially weighted mean and
/// variance, on six signals, once in ten seconds.
///
/// It warns and shows; no breaker opens because of it. Small, since every key has one: the seasonal detector B would take
/// fifteen times as much for the same signals. What is unusual is not learned for ten minutes; then it is the new normal.
public struct FlowWatch: Sendable {
    /// Seconds between two ticks.
    public static let tickSeconds = 10.0

    private static let weight: Float = 0.0115
    private static let warmUp: UInt16 = 12
    private static let hotTicksToWarn: UInt8 = 3
    private static let hotTicksMax: UInt8 = 60

    private struct Usual: Sendable {
        var mean: Float = 0
        var variance: Float = 0
        var count: UInt16 = 0
        var hotTicks: UInt8 = 0
        var hasWarned = false
    }

    private var usual = InlineArray<6, Usual>(repeating: Usual())
    private var scores = InlineArray<6, Float>(repeating: 0)

    /// Nothing is known.
    public init() {}

    /// Deviations from the usual in the last ten seconds, negative below it; 0 while it is not known.
    public subscript(score signal: FlowSignal) -> Double { Double(scores[Int(signal.rawValue)]) }

    /// What is usual, and its deviation; nil while it is not known. Of the logarithm, but for shares.
    public func level(of signal: FlowSignal) -> (mean: Double, deviation: Double)? {
        let usual = usual[Int(signal.rawValue)]
        guard usual.count >= Self.warmUp else { return nil }
        return (Double(usual.mean), Double(max(usual.variance.squareRoot(), signal.deviationFloor)))
    }

    /// Takes ten seconds. Returns what has been unusual for half a minute, once for each time.
    public mutating func tick(_ tally: FlowTally) -> [FlowSignal] {
        FlowSignal.allCases.filter { signal in
            let index = Int(signal.rawValue)
            scores[index] = 0
            guard let value = signal.value(tally), value.isFinite else { return false }
            return Self.take(
                Float(value.clamped(to: -1e6...1e6)), signal.deviationFloor, &usual[index], score: &scores[index])
        }
    }

    private static func take(_ value: Float, _ floor: Float, _ usual: inout Usual, score: inout Float) -> Bool {
        let isWarm = usual.count >= warmUp
        let deviation = max(usual.variance.squareRoot(), floor)
        if isWarm { score = (value - usual.mean) / deviation }
        let isHot = abs(score) > Float(Baseline.hotScore)
        usual.hotTicks = isHot ? min(usual.hotTicks + 1, hotTicksMax) : 0
        if !isHot { usual.hasWarned = false }
        if !isHot || usual.hotTicks >= hotTicksMax { learn(value, deviation, isWarm: isWarm, &usual) }
        guard usual.hotTicks >= hotTicksToWarn, !usual.hasWarned else { return false }
        usual.hasWarned = true
        return true
    }

    private static func learn(_ value: Float, _ deviation: Float, isWarm: Bool, _ usual: inout Usual) {
        if usual.count < .max { usual.count += 1 }
        let weight = max(weight, 1 / Float(usual.count))
        var distance = value - usual.mean
        if isWarm { distance = distance.clamped(to: -3 * deviation...3 * deviation) }
        usual.mean += weight * distance
        usual.variance = (1 - weight) * (usual.variance + (usual.count > 1 ? weight * distance * distance : 0))
    }
}
