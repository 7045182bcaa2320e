/// What an operator promises of a destination.
public struct ServiceObjective: Sendable, Hashable {
    /// The share of calls that must succeed, below 1; nil if nothing was promised, and then there is no guard.
    public var goodShare: Double?
    /// A call that takes longer is not good, whatever is usual.
    public var latencyNanoseconds: UInt64?

    /// Nothing is promised by default.
    public init(goodShare: Double? = nil, latencyNanoseconds: UInt64? = nil) {
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
    private static let minuteCount = 60
    private static let tenMinuteCount = 36

    private struct Cell: Sendable, Hashable {
        var calls: Float = 0
        var failures: Float = 0

        mutating func add(_ other: Cell) {
            calls += other.calls
            failures += other.failures
        }
    }

    private var minutes: [Cell] = Array(repeating: Cell(), count: minuteCount)
    private var tenMinutes: [Cell] = Array(repeating: Cell(), count: tenMinuteCount)
    private var minute: UInt64 = 0

    /// Nothing has been counted.
    public init() {}

    /// Counts calls that ended at `now`, monotonic nanoseconds.
    public mutating func add(calls: Double, failures: Double, now: UInt64) {
        advance(to: now / 60_000_000_000)
        let cell = Cell(calls: Float(calls), failures: Float(failures))
        minutes[Int(minute % UInt64(Self.minuteCount))].add(cell)
        tenMinutes[Int(minute / 10 % UInt64(Self.tenMinuteCount))].add(cell)
    }

    /// The burn rate from which a pair of windows is too fast; the higher one where both are; nil if none.
    public func excess(objective: ServiceObjective) -> Double? {
        guard let goodShare = objective.goodShare else { return nil }
        let budget = 1 - goodShare
        func isBurning(_ factor: Double, _ cells: [Cell?]...) -> Bool {
            cells.allSatisfy { window in
                var sum = Cell()
                for case let cell? in window { sum.add(cell) }
                return sum.calls > 0 && Double(sum.failures / sum.calls) >= factor * budget
            }
        }
        if isBurning(14.4, minutes, lastMinutes(5)) { return 14.4 }
        if isBurning(6, tenMinutes, lastMinutes(30)) { return 6 }
        return nil
    }

    private func lastMinutes(_ count: Int) -> [Cell?] {
        (0..<UInt64(count)).map { back in
            minute >= back ? minutes[Int((minute - back) % UInt64(Self.minuteCount))] : nil
        }
    }

    /// Empties the cells of the minutes that have passed since the last call.
    private mutating func advance(to newMinute: UInt64) {
        guard newMinute > minute else { return }
        let passed = newMinute - minute
        for step in 1...min(passed, UInt64(Self.minuteCount)) {
            minutes[Int((newMinute - min(passed, UInt64(Self.minuteCount)) + step) % UInt64(Self.minuteCount))] = Cell()
        }
        let tens = newMinute / 10 - minute / 10
        if tens > 0 {
            let cleared = min(tens, UInt64(Self.tenMinuteCount))
            for step in 1...cleared {
                tenMinutes[Int((newMinute / 10 - cleared + step) % UInt64(Self.tenMinuteCount))] = Cell()
            }
        }
        minute = newMinute
    }
}
