public import Resilience
import Synchronization

/// The meeting place of one guard and the calls it watches: what the path must do, published by the beat, and what the
/// calls came to, counted by the lanes.
///
/// A call reads one word and adds to its own lane's tally. Only probes and calls under a limit touch memory that lanes
/// share.
public final class GuardCell: Sendable {
    /// What is guarded.
    public let key: GuardKey

    private let admissionWord = Atomic<UInt64>(AdmissionWord.all)
    private let slowCallNanoseconds = Atomic<UInt64>(.max)
    /// What a call whose latency says nothing adds to the sums, so that it changes neither mean nor variance.
    private let neutralLog = Atomic<UInt64>(GuardCell.unknownLogLatency.bitPattern)
    private let neutralSquare = Atomic<UInt64>((GuardCell.unknownLogLatency * GuardCell.unknownLogLatency).bitPattern)
    private let probes = Atomic<Int>(0)
    /// Calls that may be under way at once; 0 for any number.
    private let limit = Atomic<Int>(0)
    /// Those that are, while there is a limit.
    private let placesTaken = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)
    private let retryShareBits = Atomic<UInt64>(GuardCell.usualRetryShare.bitPattern)
    private let turnedAway = Atomic<UInt64>(0)
    /// Messages that wait, as the broker last told in passing, plus one; 0 where nothing was told.
    private let toldLag = Atomic<UInt64>(0)
    private let tallies = Mutex<[GuardTally]>([])
    private let lastTotals = Mutex<[GuardTotals]>([])

    /// Of its calls, retries may add so many while nothing is known.
    static let usualRetryShare = 0.2
    /// ln of one millisecond, for as long as nothing is known.
    private static let unknownLogLatency = -6.907_755

    /// A guard that admits all.
    init(key: GuardKey) {
        self.key = key
    }

    /// A tally for one more lane.
    func makeTally() -> GuardTally {
        let tally = GuardTally()
        tallies.withLock { $0.append(tally) }
        lastTotals.withLock { $0.append(GuardTotals()) }
        return tally
    }

    // MARK: The path

    /// What the path must do, as an `AdmissionWord`.
    @inline(__always)
    var word: UInt64 { admissionWord.load(ordering: .relaxed) }

    /// From how long on a call counts as slow.
    @inline(__always)
    var slowNanoseconds: UInt64 { slowCallNanoseconds.load(ordering: .relaxed) }

    /// What stands for a latency that says nothing of the broker.
    @inline(__always)
    var neutralLatency: (log: Double, square: Double) {
        (
            Double(bitPattern: neutralLog.load(ordering: .relaxed)),
            Double(bitPattern: neutralSquare.load(ordering: .relaxed))
        )
    }

    /// Takes one of the places for probes of this beat, if fewer than `most` are taken.
    func beginProbe(most: Int) -> Bool {
        var taken = probes.load(ordering: .relaxed)
        while taken < most {
            let (exchanged, original) = probes.compareExchange(
                expected: taken, desired: taken + 1, ordering: .relaxed)
            if exchanged { return true }
            taken = original
        }
        return false
    }

    /// The broker has told in passing how many messages wait for the consumers.
    func noteLag(_ messages: UInt64) { toldLag.store(messages &+ 1, ordering: .relaxed) }

    // MARK: The bulkhead

    /// Whether a call may be under way beside the others; it has taken its place then.
    enum Place {
        case unlimited
        case taken
        case full
    }

    func takePlace() -> Place {
        let most = limit.load(ordering: .relaxed)
        guard most > 0 else { return .unlimited }
        var taken = placesTaken.load(ordering: .relaxed)
        while taken < most {
            let (exchanged, original) = placesTaken.compareExchange(
                expected: taken, desired: taken + 1, ordering: .relaxed)
            if exchanged { return .taken }
            taken = original
        }
        return .full
    }

    func leavePlace() { placesTaken.subtract(1, ordering: .relaxed) }

    /// One more call waits for a place, unless too many do.
    func beginWaiting(most: Int) -> Bool {
        guard waiting.add(1, ordering: .relaxed).newValue > most else { return true }
        waiting.subtract(1, ordering: .relaxed)
        return false
    }

    func endWaiting() { waiting.subtract(1, ordering: .relaxed) }

    func turnAway() { turnedAway.add(1, ordering: .relaxed) }

    /// Calls that wait for a place.
    public var waitingCount: Int { max(0, waiting.load(ordering: .relaxed)) }

    /// Calls that found no place in time, since the process began.
    public var turnedAwayCount: UInt64 { turnedAway.load(ordering: .relaxed) }

    // MARK: The beat

    /// What the calls from now on meet.
    public func publish(_ admission: Admission, slowCallNanoseconds slow: UInt64, limit most: Int? = nil) {
        limit.store(most ?? 0, ordering: .relaxed)
        slowCallNanoseconds.store(slow, ordering: .relaxed)
        probes.store(0, ordering: .relaxed)
        admissionWord.store(AdmissionWord.encode(admission), ordering: .relaxed)
    }

    /// The share of its calls that retries may add from now on.
    public func publish(retryShare: Double) { retryShareBits.store(retryShare.bitPattern, ordering: .relaxed) }

    /// The share of its calls that retries may add.
    var retryShare: Double { Double(bitPattern: retryShareBits.load(ordering: .relaxed)) }

    /// What is usual, as mean and variance of the logarithm of latency in seconds.
    public func publishUsual(logLatencyMean mean: Double, variance: Double) {
        neutralLog.store(mean.bitPattern, ordering: .relaxed)
        neutralSquare.store((mean * mean + variance).bitPattern, ordering: .relaxed)
    }

    /// What the path must do at the moment.
    public var admission: Admission { AdmissionWord.decode(word) }

    /// What has happened since the last call of this; one thread at a time asks.
    public func collect() -> CallTally {
        let lanes = tallies.withLock { $0 }
        var sum = CallTally()
        var (inFlight, overdue): (Int64, Int64) = (0, 0)
        lastTotals.withLock { last in
            for (number, lane) in lanes.enumerated() {
                inFlight += lane.inFlight
                overdue += lane.overdue
                guard let totals = lane.read() else { continue }
                sum.add(totals, since: last[number])
                last[number] = totals
            }
        }
        sum.inFlightPeak = Int(clamping: max(0, inFlight))
        sum.overdue = Int(clamping: max(0, overdue))
        return sum
    }

    /// The lag that was told since the last call of this; nil if none was.
    public func takeLag() -> UInt64? {
        let told = toldLag.exchange(0, ordering: .relaxed)
        return told > 0 ? told - 1 : nil
    }

    /// What was published, delivered and settled since the process began.
    public var consumption: Consumption {
        tallies.withLock { $0 }.reduce(into: Consumption()) { $0.add($1.consumption) }
    }

    /// Calls that were not let through, since the process began.
    public var rejectedCount: UInt64 {
        tallies.withLock { $0 }.reduce(0) { $0 + ($1.read()?.rejected ?? 0) }
    }

    /// Calls under way.
    public var inFlight: Int {
        Int(clamping: max(0, tallies.withLock { $0 }.reduce(0) { $0 + $1.inFlight }))
    }
}
