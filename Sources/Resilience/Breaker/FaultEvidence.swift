/// Evidence that a destination is in a fault, gathered call by call: a sequential test (Wald; Page's CUSUM form).
///
/// Every bad call counts one up, every good one one down, never below zero. That is the logarithm of the likelihood
/// ratio of "most calls are bad" to "most calls are good", in units of its step, so it opens exactly where opening pays:
/// rejecting a call costs what it would have been worth, so it is right once more than half of the calls are bad, and
/// not before. One test serves every rate and every length of fault: ten thousand calls a second decide within a beat,
/// a call every twenty seconds after the fifth failure, and a brown-out of 15 % never (its drift is downwards).
///
/// A slow answer is an answer, and what is slow was learned, not promised: it counts half. So slowness opens from two
/// slow calls in three, failure from one in two.
///
/// One beat alone proves nothing, however many calls it holds: the calls that waited for a pause of the destination end
/// together when it is over, and a lost connection takes all of its calls with it. Bad calls must outweigh the good ones
/// in three beats.
///
/// Calls that are overdue while nothing is answered well speak before they end, or a hang would tell nothing until its
/// first timeouts. Half a second of such silence is longer than a pause; each further half a second counts them once
/// more, up to three times, so that a few callers that wait for each answer are believed, too.
///
/// A key whose calls are often bad in good times is measured against that: its good calls weigh less.
struct FaultEvidence: Sendable, Hashable {
    /// At once: eight more bad calls than good ones. With 35 % bad calls once in four thousand beginnings.
    static let conclusive = 8.0
    /// Fewer are enough when nothing has spoken against it for long: five bad calls in a row over eight seconds.
    static let conclusiveWhenLasting = 5.0
    /// How long is long: noise and deployments are over by then.
    static let lastingNanoseconds: UInt64 = 10_000_000_000
    /// Beats without a good answer, while answers are overdue, that are no pause any more.
    static let silentBeatsMin = 5
    private static let silentBeatsMax = 15
    /// One call that takes its time is no fault.
    private static let overdueMin = 2
    /// In so many beats bad calls must have outweighed good ones.
    private static let beatsMin = 3
    private static let slowWeight = 0.5
    /// A share of bad calls in good times from which on they are weighed.
    private static let ordinaryShareMax = 0.3

    /// Bad calls over good ones, by weight, since the test last began anew.
    private(set) var excess = 0.0
    /// Beats since then in which it grew.
    private var beats = 0
    /// Beats in a row in which answers were overdue and none was good.
    private var silentBeats = 0
    /// Answers that are overdue now.
    private(set) var overdue = 0
    /// When it last began anew: about when the fault did.
    private(set) var since: UInt64

    init(now: UInt64) { since = now }

    /// Takes the calls of a beat. `ordinaryShare` is the share of bad calls in good times.
    mutating func add(_ tally: CallTally, ordinaryShare: Double = 0, previousBeat: UInt64) {
        if excess <= 0, silentBeats == 0 { (since, beats) = (previousBeat, 0) }
        overdue = tally.overdue
        let isSilent = overdue >= Self.overdueMin && tally.calls <= tally.bad
        silentBeats = isSilent ? min(silentBeats + 1, Self.silentBeatsMax) : 0
        guard tally.calls > 0 else { return }
        let good = Double(tally.calls - tally.bad)
        let bad = Double(min(tally.failed, tally.calls)) + Self.slowWeight * Double(tally.slow)
        let usual = max(Self.ordinaryShareMax, min(ordinaryShare, 0.95))
        // Upwards beyond the middle between what is usual and everything bad; 0.5 for a key that is usually well.
        let middle = usual <= Self.ordinaryShareMax ? 0.5 : (1 + usual) / 2
        let change = 2 * (1 - middle) * bad - 2 * middle * good
        if change > 0 { beats = min(beats + 1, Self.beatsMin) }
        // More than is conclusive says nothing more, and would take long to be outweighed.
        excess = min(max(0, excess + change), Self.conclusive)
    }

    /// Whether the evidence is enough.
    func isConclusive(now: UInt64) -> Bool {
        if silentBeats >= Self.silentBeatsMin,
            excess + Double(overdue * (silentBeats / Self.silentBeatsMin)) >= Self.conclusive
        {
            return true
        }
        guard beats >= Self.beatsMin else { return false }
        return excess >= Self.conclusive
            || (excess >= Self.conclusiveWhenLasting && now &- since >= Self.lastingNanoseconds)
    }
}
