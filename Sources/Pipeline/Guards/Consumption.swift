/// What was published to a destination, or what the consumers of one destination and group were given and have settled,
/// in sums: since the process began, or between two looks.
public struct Consumption: Sendable, Equatable {
    /// Messages that were delivered.
    public var deliveries: UInt64 = 0
    /// Those of them that had been delivered before.
    public var redeliveries: UInt64 = 0
    /// Messages whose time in the queue is known.
    public var queueTimes: UInt64 = 0
    /// Sum of the natural logarithm of that time in seconds, of at least a microsecond each.
    public var queueLogSum = 0.0
    /// Messages that were acknowledged after their delivery was seen.
    public var processTimes: UInt64 = 0
    /// Sum of the natural logarithm of the seconds in between, of at least a microsecond each.
    public var processLogSum = 0.0
    /// Messages whose size is known, published or delivered.
    public var sizes: UInt64 = 0
    /// Sum of the natural logarithm of their bytes, of at least one byte each.
    public var sizeLogSum = 0.0

    /// Nothing.
    public init() {}

    mutating func add(_ other: Consumption) {
        deliveries &+= other.deliveries
        redeliveries &+= other.redeliveries
        queueTimes &+= other.queueTimes
        queueLogSum += other.queueLogSum
        processTimes &+= other.processTimes
        processLogSum += other.processLogSum
        sizes &+= other.sizes
        sizeLogSum += other.sizeLogSum
    }

    /// What came after an earlier look.
    public func since(_ earlier: Consumption) -> Consumption {
        var since = self
        since.deliveries &-= earlier.deliveries
        since.redeliveries &-= earlier.redeliveries
        since.queueTimes &-= earlier.queueTimes
        since.queueLogSum -= earlier.queueLogSum
        since.processTimes &-= earlier.processTimes
        since.processLogSum -= earlier.processLogSum
        since.sizes &-= earlier.sizes
        since.sizeLogSum -= earlier.sizeLogSum
        return since
    }
}
