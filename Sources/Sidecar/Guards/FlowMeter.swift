import Pipeline
import Resilience

/// Takes from a cell's running sums what has passed since the last look.
struct FlowMeter {
    private var last = Consumption()

    /// What passed, calls aside. `calls` are those of the same time: what a key publishes is counted as calls.
    mutating func read(_ cell: GuardCell, calls: Int) -> FlowTally {
        let total = cell.consumption
        let passed = total.since(last)
        last = total
        var tally = FlowTally()
        let isReceiving = cell.key.operation == .receive
        tally.messages = isReceiving ? Double(passed.deliveries) : Double(calls)
        tally.redeliveries = Double(passed.redeliveries)
        (tally.queueTimes, tally.queueLogSum) = (Double(passed.queueTimes), passed.queueLogSum)
        (tally.processTimes, tally.processLogSum) = (Double(passed.processTimes), passed.processLogSum)
        (tally.sizes, tally.sizeLogSum) = (Double(passed.sizes), passed.sizeLogSum)
        tally.toldLag = cell.takeLag().map { Double($0) }
        return tally
    }
}
