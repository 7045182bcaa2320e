import Resilience
import Synchronization

/// What the calls of one lane to one key came to, since the process began.
///
/// One lane writes, any thread reads. As nobody else writes, an addition is a relaxed load and a relaxed store; a
/// sequence lock (as of `ExemplarSlots`) around the sums of one call keeps a reader from seeing half of it: a call
/// counted without its latency would look like a latency of one second. The beat takes differences of these totals, so
/// nothing is ever set back.
final class GuardTally: Sendable {
    /// Places of the cells.
    private enum Place {
        static let sequence = 0
        static let calls = 1
        static let slow = 2
        static let logSum = 3
        static let logSquares = 4
        static let mistakes = 5
        static let probeSuccesses = 6
        static let probeFailures = 7
        static let rejected = 8
        static let inFlight = 9
        static let shareRest = 10
        static let redelivered = 11
        static let failures = 12
        static let probesBegun = 16
        /// Nanoseconds of the last call whose latency says something.
        static let sample = 17
        static let deliveries = 18
        static let queueTimes = 19
        static let queueLogSum = 20
        static let overdue = 21
        static let processTimes = 22
        static let processLogSum = 23
        static let sizes = 24
        static let sizeLogSum = 25
        static let count = 32
    }

    private static let cacheLineBytes = 64
    private static let attemptsMax = 64

    /// The pointer never changes and the cells behind it are atomics, on cache lines of their own.
    private nonisolated(unsafe) let cells: UnsafeMutablePointer<Atomic<UInt64>>

    init() {
        let bytes = Place.count * MemoryLayout<Atomic<UInt64>>.stride
        cells = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: Self.cacheLineBytes)
            .bindMemory(to: Atomic<UInt64>.self, capacity: Place.count)
        for position in 0..<Place.count { (cells + position).initialize(to: Atomic(0)) }
    }

    deinit {
        cells.deinitialize(count: Place.count)
        UnsafeMutableRawPointer(cells).deallocate()
    }

    // MARK: Written by the lane

    /// One more call is under way.
    @inline(__always)
    func began() { add(1, Place.inFlight) }

    /// A call is over, whatever came of it.
    @inline(__always)
    func ended() { add(UInt64.max, Place.inFlight) }

    /// A call that is under way has become slow, or has ended after it had.
    func becameOverdue() { add(1, Place.overdue) }
    func endedOverdue() { add(UInt64.max, Place.overdue) }

    /// A call was let through as a probe.
    func beganProbe() { add(1, Place.probesBegun) }

    /// A probe has come to nothing that could be judged.
    func tookBackProbe() { add(UInt64.max, Place.probesBegun) }

    /// A call was not let through.
    func rejected() { add(1, Place.rejected) }

    /// A message of that many bytes was published or delivered.
    @inline(__always)
    func sized(_ bytes: Int64) {
        add(1, Place.sizes)
        addReal(NaturalLogarithm.of(UInt64(max(1, bytes))), Place.sizeLogSum)
    }

    /// A message was acknowledged so long after its delivery.
    func processed(nanoseconds: UInt64) {
        add(1, Place.processTimes)
        addReal(NaturalLogarithm.ofSeconds(nanoseconds: nanoseconds), Place.processLogSum)
    }

    /// Messages were delivered, all of them anew or all of them again. The sums are of those whose time in the queue is
    /// known. Read ten seconds at a time, so half of a delivery does no harm.
    func delivered(_ count: Int, areRedelivered: Bool, queueTimes: Int, queueLogSum: Double) {
        add(UInt64(count), Place.deliveries)
        if areRedelivered { add(UInt64(count), Place.redelivered) }
        guard queueTimes > 0 else { return }
        add(UInt64(queueTimes), Place.queueTimes)
        addReal(queueLogSum, Place.queueLogSum)
    }

    /// Counts one answered call. `failure` is nil when the broker did what it was asked, or blamed the client.
    @inline(__always)
    func count(
        sample: UInt64, logLatency: Double, logSquare: Double, isSlow: Bool, failure: FailureClass?, isMistake: Bool,
        probe: ProbeResult
    ) {
        let sequence = cells[Place.sequence].load(ordering: .relaxed)
        cells[Place.sequence].store(sequence &+ 1, ordering: .relaxed)
        // Releasing: who sees one of the new sums also sees the odd sequence before it.
        store(cells[Place.calls].load(ordering: .relaxed) &+ 1, Place.calls)
        store(sample, Place.sample)
        addReal(logLatency, Place.logSum)
        addReal(logSquare, Place.logSquares)
        if isSlow { store(cells[Place.slow].load(ordering: .relaxed) &+ 1, Place.slow) }
        if let failure {
            let place = Place.failures &+ Int(failure.rawValue)
            store(cells[place].load(ordering: .relaxed) &+ 1, place)
        }
        if isMistake { store(cells[Place.mistakes].load(ordering: .relaxed) &+ 1, Place.mistakes) }
        switch probe {
        case .none: break
        case .success: store(cells[Place.probeSuccesses].load(ordering: .relaxed) &+ 1, Place.probeSuccesses)
        case .failure: store(cells[Place.probeFailures].load(ordering: .relaxed) &+ 1, Place.probeFailures)
        }
        cells[Place.sequence].store(sequence &+ 2, ordering: .releasing)
    }

    /// Whether this call is among the share that is let through: evenly spaced, so no random number is needed.
    func isAmong(share: UInt64) -> Bool {
        let sum = cells[Place.shareRest].load(ordering: .relaxed) &+ share
        cells[Place.shareRest].store(sum % AdmissionWord.shareUnit, ordering: .relaxed)
        return sum >= AdmissionWord.shareUnit
    }

    @inline(__always)
    private func add(_ amount: UInt64, _ place: Int) {
        cells[place].store(cells[place].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    @inline(__always)
    private func store(_ value: UInt64, _ place: Int) { cells[place].store(value, ordering: .releasing) }

    @inline(__always)
    private func addReal(_ amount: Double, _ place: Int) {
        store((Double(bitPattern: cells[place].load(ordering: .relaxed)) + amount).bitPattern, place)
    }

    // MARK: Read by the beat

    /// The totals, whole; nil when the lane was always in between. Then the next beat sees them.
    func read() -> GuardTotals? {
        for _ in 0..<Self.attemptsMax {
            let before = cells[Place.sequence].load(ordering: .acquiring)
            guard before & 1 == 0 else { continue }
            // Acquiring: the second look at the sequence cannot move before these.
            var totals = GuardTotals(
                calls: load(Place.calls), slow: load(Place.slow), logSum: Double(bitPattern: load(Place.logSum)),
                logSquares: Double(bitPattern: load(Place.logSquares)), mistakes: load(Place.mistakes),
                probeSuccesses: load(Place.probeSuccesses), probeFailures: load(Place.probeFailures),
                rejected: load(Place.rejected),
                probesBegun: load(Place.probesBegun), sample: load(Place.sample))
            for failure in FailureClass.allCases {
                totals.failures[Int(failure.rawValue)] = load(Place.failures + Int(failure.rawValue))
            }
            guard cells[Place.sequence].load(ordering: .relaxed) == before else { continue }
            return totals
        }
        return nil
    }

    /// What was delivered since the process began.
    var consumption: Consumption {
        var sums = Consumption()
        sums.deliveries = load(Place.deliveries)
        sums.redeliveries = load(Place.redelivered)
        sums.queueTimes = load(Place.queueTimes)
        sums.queueLogSum = Double(bitPattern: load(Place.queueLogSum))
        sums.processTimes = load(Place.processTimes)
        sums.processLogSum = Double(bitPattern: load(Place.processLogSum))
        sums.sizes = load(Place.sizes)
        sums.sizeLogSum = Double(bitPattern: load(Place.sizeLogSum))
        return sums
    }

    /// Calls under way on this lane; the sum over the lanes is what counts.
    var inFlight: Int64 { Int64(bitPattern: load(Place.inFlight)) }

    /// Those of them that are slow already.
    var overdue: Int64 { Int64(bitPattern: load(Place.overdue)) }

    private func load(_ place: Int) -> UInt64 { cells[place].load(ordering: .acquiring) }
}

/// What a call that was let through as a probe came to.
enum ProbeResult {
    /// It was no probe.
    case none
    case success
    case failure
}

/// Sums of calls since the process began, of one lane or of several.
struct GuardTotals {
    var calls: UInt64 = 0
    var slow: UInt64 = 0
    var logSum = 0.0
    var logSquares = 0.0
    var mistakes: UInt64 = 0
    var probeSuccesses: UInt64 = 0
    var probeFailures: UInt64 = 0
    var rejected: UInt64 = 0
    var probesBegun: UInt64 = 0
    /// Nanoseconds of the last call, 0 where it told nothing.
    var sample: UInt64 = 0
    var failures = InlineArray<4, UInt64>(repeating: 0)
}
