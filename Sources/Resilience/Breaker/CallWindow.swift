/// The calls of the last minute by second, and the newest of them in finer pieces: what a breaker decides on.
///
/// Two rings of fixed size inside the value. Nothing is summed up before somebody asks, and a key without failures is
/// never asked.
struct CallWindow: Sendable {
    /// Calls of some time.
    struct Sum: Sendable, Hashable {
        var calls = 0
        var failures = 0
        var slow = 0

        var bad: Int { min(calls, failures + slow) }

        func share(_ count: Int) -> Double { calls > 0 ? Double(count) / Double(calls) : 0 }

        mutating func add(_ slot: Slot) {
            calls += Int(slot.calls)
            failures += Int(slot.failures)
            slow += Int(slot.slow)
        }
    }

    /// Counts of 16 bits. More calls than fit are scaled down together with the others: shares are what decides, and
    /// beyond 65,535 calls there are always enough.
    struct Slot: Sendable {
        private(set) var calls: UInt16 = 0
        private(set) var failures: UInt16 = 0
        private(set) var slow: UInt16 = 0

        init() {}

        init(_ tally: CallTally) {
            set(calls: tally.calls, failures: min(tally.failed, tally.calls), slow: min(tally.slow, tally.calls))
        }

        mutating func add(_ other: Slot) {
            set(
                calls: Int(calls) + Int(other.calls), failures: Int(failures) + Int(other.failures),
                slow: Int(slow) + Int(other.slow))
        }

        private mutating func set(calls: Int, failures: Int, slow: Int) {
            let scale = max(1, (Double(calls) / Double(UInt16.max)).rounded(.up))
            func scaled(_ count: Int) -> UInt16 { UInt16(clamping: Int((Double(count) / scale).rounded(.up))) }
            (self.calls, self.failures, self.slow) = (scaled(calls), scaled(failures), scaled(slow))
        }
    }

    private struct Piece: Sendable {
        var slot = Slot()
        /// Tenths of a second, which is a beat.
        var at: UInt32 = 0

        /// No older than `age`. The clock of tenths comes round after 13 years.
        func isWithin(_ age: UInt64, of now: UInt64) -> Bool {
            UInt64(CallWindow.tenths(now) &- at) * CallWindow.tenth <= age
        }
    }

    private static let secondsMax = 60
    private static let pieceCount = 16
    private static let second: UInt64 = 1_000_000_000
    private static let tenth: UInt64 = 100_000_000

    private static func tenths(_ now: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: now / tenth) }

    private var seconds = InlineArray<60, Slot>(repeating: Slot())
    private var newestSecond: UInt64 = 0
    private var pieces = InlineArray<16, Piece>(repeating: Piece())
    private var pieceNumber = 0
    private var piecesHeld = 0

    /// Takes the calls of one beat.
    mutating func add(_ tally: CallTally, now: UInt64) {
        advance(to: now / Self.second)
        guard tally.calls > 0 else { return }
        let slot = Slot(tally)
        seconds[Int(newestSecond % UInt64(Self.secondsMax))].add(slot)
        pieceNumber = (pieceNumber + 1) % Self.pieceCount
        piecesHeld = min(piecesHeld + 1, Self.pieceCount)
        pieces[pieceNumber] = Piece(slot: slot, at: Self.tenths(now))
    }

    private mutating func advance(to second: UInt64) {
        guard second > newestSecond else { return }
        let passed = min(second - newestSecond, UInt64(Self.secondsMax))
        for step in 1...passed { seconds[Int((second - passed + step) % UInt64(Self.secondsMax))] = Slot() }
        newestSecond = second
    }

    /// Nothing is known any more.
    mutating func clear() {
        for index in 0..<Self.secondsMax { seconds[index] = Slot() }
        piecesHeld = 0
    }

    /// The calls of so many seconds up to the last beat.
    func sum(seconds count: Double) -> Sum {
        var sum = Sum()
        for back in 0..<UInt64(min(Double(Self.secondsMax), max(1, count.rounded(.up)))) where back <= newestSecond {
            sum.add(seconds[Int((newestSecond - back) % UInt64(Self.secondsMax))])
        }
        return sum
    }

    /// The newest calls: at least `calls` of them, from at least `beats` beats, none older than `age`; nil if there are
    /// not so many.
    func newest(calls: Int, beats: Int, age: UInt64, now: UInt64) -> Sum? {
        var sum = Sum()
        for back in 0..<piecesHeld {
            let piece = pieces[(pieceNumber - back + Self.pieceCount) % Self.pieceCount]
            guard piece.isWithin(age, of: now) else { return nil }
            sum.add(piece.slot)
            if sum.calls >= calls, back + 1 >= beats { return sum }
        }
        return nil
    }

    /// Calls that failed one after the other, the newest included, as far as beats tell: one that holds a success ends
    /// the row. At least two beats, none older than `age`.
    func failuresInRow(age: UInt64, now: UInt64) -> Int {
        var count = 0
        var beats = 0
        for back in 0..<piecesHeld {
            let piece = pieces[(pieceNumber - back + Self.pieceCount) % Self.pieceCount]
            guard piece.isWithin(age, of: now), piece.slot.failures == piece.slot.calls else { break }
            count += Int(piece.slot.failures)
            beats += 1
        }
        return beats >= 2 ? count : 0
    }
}
