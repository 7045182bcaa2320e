/// The probes of one half-open round: one at first, more after each beat of successes, so that a destination that is
/// still down is asked once and not by a herd.
struct ProbeRound: Sendable, Hashable {
    /// What one beat leads to.
    enum Result: Sendable, Hashable {
        case goesOn
        case succeeded
        case failed
    }

    private static let failedShareMax = 0.2
    /// It closes once so many times as many calls may pass as are asked for.
    private static let openness = 2.0
    private static let growthMin = 1.05
    private static let allowanceLimit = 1_048_576.0
    /// No answer for so long is none. Timeouts are told as failures long before.
    private static let lostNanoseconds: UInt64 = 30_000_000_000

    private var wanted: Int
    private var begun = 0
    private var succeeded = 0
    private var failed = 0
    private var allowanceMax = 1.0
    /// What it is multiplied by after each beat of successes, above 1 and at most 2.
    private let growth: Double
    /// The last beat in which a probe ended, or none was under way.
    private var waitsSince: UInt64?

    /// The round ends when its share of failures is known, not when it is likely.
    private var isFixed: Bool

    init(wanted: Int = 4, isFixed: Bool, growth: Double = 2) {
        self.wanted = max(1, wanted)
        self.isFixed = isFixed
        self.growth = growth.isFinite ? growth.clamped(to: Self.growthMin...2) : 2
    }

    /// The growth with which a round that begins with one call reaches what clients ask for after `seconds`.
    static func growth(rampSeconds seconds: Double, offeredCalls: Double, beatSeconds: Double) -> Double {
        guard seconds > 0 else { return 2 }
        return Elementary.power(max(growthMin, openness * offeredCalls), beatSeconds / seconds)
    }

    /// The seconds that this takes where each beat doubles.
    static func rampSeconds(offeredCalls: Double, beatSeconds: Double) -> Double {
        beatSeconds * Elementary.ln(max(2, openness * offeredCalls)) / Elementary.ln(2)
    }

    /// Probes that may begin until the next beat.
    var allowance: Int {
        let free = Int(allowanceMax) - (begun - succeeded - failed)
        return max(0, isFixed ? min(free, wanted - begun) : free)
    }

    var sum: CallWindow.Sum { CallWindow.Sum(calls: succeeded + failed, failures: failed, slow: 0) }

    /// `offeredCalls` is what clients ask for in one beat.
    mutating func beat(_ tally: CallTally, offeredCalls: Double, now: UInt64) -> Result {
        forgetLost(tally, now: now)
        begun += tally.probesBegun
        succeeded += tally.probeSuccesses
        failed += tally.probeFailures
        // A call that was under way when the round began may end as its probe: it counts, and may overrun the round.
        begun = max(begun, succeeded + failed)
        if isFixed, Double(failed) > (Self.failedShareMax * Double(wanted)).rounded(.down) { return .failed }
        if isFixed {
            if succeeded + failed >= wanted { return .succeeded }
            if tally.probeSuccesses > 0, tally.probeFailures == 0 {
                allowanceMax = min(Double(wanted), allowanceMax * 2)
            }
            return .goesOn
        }
        // One bad in four is too many to go on with; so many good ones beyond that as are wanted are enough. Closing waits
        // until twice as many may pass as are asked for: the growth is the ramp, and nothing is left to come all at once.
        if failed > 0, succeeded < 3 * failed { return .failed }
        if succeeded - 3 * failed >= wanted, allowanceMax >= Self.openness * offeredCalls { return .succeeded }
        // At many calls a beat some are bad in good times, too.
        if tally.probeSuccesses > 4 * tally.probeFailures {
            allowanceMax = min(Self.allowanceLimit, allowanceMax * growth)
        }
        return .goesOn
    }

    /// Probes whose end nobody told, for example because the client has gone, must not keep their places for ever.
    private mutating func forgetLost(_ tally: CallTally, now: UInt64) {
        let isWaiting = begun > succeeded + failed && tally.probeSuccesses + tally.probeFailures == 0
        guard isWaiting, let waitsSince else {
            waitsSince = now
            return
        }
        guard now &- waitsSince >= Self.lostNanoseconds else { return }
        begun = succeeded + failed
        allowanceMax = 1.0
        self.waitsSince = nil
    }
}
