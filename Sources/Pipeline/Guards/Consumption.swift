/// What consumers of one destination and group were given, in sums: since the process began, or between two looks.
public struct Consumption: Sendable, Equatable {
    /// Messages that were delivered.
    public var deliveries: UInt64 = 0
    /// Those of them that had been delivered before.
    public var redeliveries: UInt64 = 0
    /// Messages whose time in the queue is known.
    public var queueTimes: UInt64 = 0
    /// Sum of the natural logarithm of that time in seconds, of at least a microsecond each.
    public var queueLogSum = 0.0

    /// Nothing.
    public init() {}

    init(deliveries: UInt64, redeliveries: UInt64, queueTimes: UInt64, queueLogSum: Double) {
        self.deliveries = deliveries
        self.redeliveries = redeliveries
        self.queueTimes = queueTimes
        self.queueLogSum = queueLogSum
    }

    mutating func add(_ other: Consumption) {
        deliveries &+= other.deliveries
        redeliveries &+= other.redeliveries
        queueTimes &+= other.queueTimes
        queueLogSum += other.queueLogSum
    }

    /// What came after an earlier look.
    public func since(_ earlier: Consumption) -> Consumption {
        Consumption(
            deliveries: deliveries &- earlier.deliveries, redeliveries: redeliveries &- earlier.redeliveries,
            queueTimes: queueTimes &- earlier.queueTimes, queueLogSum: queueLogSum - earlier.queueLogSum)
    }
}
