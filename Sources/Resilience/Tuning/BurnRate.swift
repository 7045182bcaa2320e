/// What an operator promises of a destination.
public struct ServiceObjective: Sendable, Hashable {
    /// The share of calls that must succeed, below 1; nil if nothing was promised, and then there is no guard.
    public var goodShare: Double?
    /// A call that takes longer is not good, whatever is usual.
    public var latencyNanoseconds: UInt64?
    /// So many messages may wait for their consumers.
    public var lag: Double?

    /// Nothing is promised by default.
    public init(goodShare: Double? = nil, latencyNanoseconds: UInt64? = nil, lag: Double? = nil) {
        self.lag = lag
        if let goodShare { precondition(goodShare >= 0 && goodShare < 1, "a good share is 0 or more and below 1") }
        self.goodShare = goodShare
        self.latencyNanoseconds = latencyNanoseconds
    }
}

/// How fast failures use up what the objective allows: the absolute guard, independent of anything learned.
///
/// Pairs of windows that must both burn, so that it is both much and still so: 14.4 times over an hour and five
/// minutes, or 6 times over six hours and thirty minutes (The Site Reliability Workbook, chapter 5).
public struct BurnRate: Sendable, Hashable {
    /// An hour in cells of five minutes, and six hours in cells of thirty; the newest one is under way.
    private static let cellCount = 13
    private static let shortCells = 2
    private static let hourCellNanoseconds: UInt64 = 300_000_000_000
    private static let sixHourCellNanoseconds: UInt64 = 1_800_000_000_000

    private struct Cell: Sendable, Hashable {
        var calls: Float = 0
        var failures: Float = 0
    }

    /// A window and its short end, in cells of equal length.
    private struct Window: Sendable, Hashable {
        var cells: [Cell] = []
        var newest: UInt64 = 0

        mutating func add(calls: Double, failures: Double, cell: UInt64) {
            if cells.isEmpty { cells = Array(repeating: Cell(), count: cellCount) }
            if cell > newest {
                let passed = min(cell - newest, UInt64(cellCount))
                for step in 0..<passed { cells[Int((cell - step) % UInt64(cellCount))] = Cell() }
                newest = cell
            }
            cells[Int(newest % UInt64(cellCount))].calls += Float(calls)
            cells[Int(newest % UInt64(cellCount))].failures += Float(failures)
        }

        /// Both the whole window and its short end fail at least this share of their calls.
        func exceeds(_ share: Double) -> Bool {
            [cellCount, shortCells].allSatisfy { failureShare(cells: $0) >= share }
        }

        private func failureShare(cells count: Int) -> Double {
            guard !cells.isEmpty else { return 0 }
            var (calls, failures) = (0.0, 0.0)
            for back in 0..<UInt64(count) where back <= newest {
                calls += Double(cells[Int((newest - back) % UInt64(cellCount))].calls)
                failures += Double(cells[Int((newest - back) % UInt64(cellCount))].failures)
            }
            return calls > 0 ? failures / calls : 0
        }
    }

    private var hour = Window()
    private var sixHours = Window()

    /// Nothing has been counted.
    public init() {}

    /// Counts calls that ended at `now`, monotonic nanoseconds. Takes room from the first of them on, so nobody should
    /// count without an objective.
    public mutating func add(calls: Double, failures: Double, now: UInt64) {
        hour.add(calls: calls, failures: failures, cell: now / Self.hourCellNanoseconds)
        sixHours.add(calls: calls, failures: failures, cell: now / Self.sixHourCellNanoseconds)
    }

    /// The burn rate from which a pair of windows is too fast; the higher one where both are; nil if none.
    public func excess(objective: ServiceObjective) -> Double? {
        guard let goodShare = objective.goodShare else { return nil }
        if hour.exceeds(14.4 * (1 - goodShare)) { return 14.4 }
        return sixHours.exceeds(6 * (1 - goodShare)) ? 6 : nil
    }
}
