/// The circuit breaker of one key: closed, open, half-open, and what an operator says.
///
/// Driven by beats, a tenth of a second apart: each brings the sums of the calls that ended since the last, and leaves
/// what the path must do until the next. Time is monotonic nanoseconds; randomness, for the jitter of the open time, is
/// a parameter. A machine in shadow goes through the same states and lets every call pass.
public struct BreakerMachine: Sendable {
    /// How much it may do.
    public let mode: BreakerMode
    /// What it works with; changes act from the next beat on.
    public var parameters: BreakerParameters
    /// Where it stands.
    public private(set) var state = BreakerState.closed
    /// What an operator has said.
    public private(set) var override: BreakerOverride?
    /// A learned threshold is exceeded, but opening would cost more calls than it saves.
    public private(set) var isDegraded = false
    /// In the last beat it would have opened because calls were slow, but was told that a smaller load is tried first.
    public private(set) var wantsRelief = false
    /// Calls that an acting breaker would have rejected; in shadow only.
    public private(set) var wouldHaveRejected = 0

    private var window = CallWindow()
    private let rules: TripRules
    /// When the open time is over.
    private var openUntil: UInt64 = 0
    /// Of this opening; doubles with each failed round.
    private var openSeconds = 0.0
    private var openedAt: UInt64 = 0
    private var failedRounds = 0
    private var round: ProbeRound
    /// What speaks for a fault right now.
    private var evidence = FaultEvidence(now: 0)
    /// When the fault began that the present or last outage is about.
    private var faultSince: UInt64 = 0
    private var offered = OfferedRate()
    /// When the breaker last closed; nil once the ramp is over and decisions are as usual.
    private var closedAt: UInt64?
    private var secondsOverThreshold = 0
    private var judgedSecond: UInt64 = 0
    /// The last beat; nil before the first.
    private var lastBeat: UInt64?
    private var now: UInt64 { lastBeat ?? 0 }

    /// The longest open time that growth leads to, with fixed parameters.
    static let openSecondsMax = 8.0
    private static let beatSeconds = 0.1
    private static let second = 1e9
    private static let quietAfterCloseNanoseconds: UInt64 = 2_000_000_000
    private static let persistSeconds = 3
    /// The share that is admitted at the beginning of the ramp.
    private static let rampShare = 0.1

    /// A closed breaker. The operator's bounds limit what it does on evidence; `parameters` are inside them already.
    public init(mode: BreakerMode, parameters: BreakerParameters, bounds: ParameterBounds = ParameterBounds()) {
        self.mode = mode
        self.parameters = parameters
        rules = TripRules(isFixed: mode == .fixed, limits: OperatorLimits(bounds))
        round = ProbeRound(isFixed: mode == .fixed)
    }

    // MARK: What the path does

    /// Valid until the next beat.
    public var admission: Admission {
        switch override {
        case .forcedOpen: return .none(retryAtNanoseconds: now &+ UInt64(Self.second))
        case .forcedClosed, .disabled: return .all
        case nil: break
        }
        guard mode != .off, mode != .shadow else { return .all }
        switch state {
        case .open: return .none(retryAtNanoseconds: openUntil)
        case .halfOpen: return .probes(most: round.allowance)
        case .closed: return ramp.map { .share($0) } ?? .all
        }
    }

    /// The share that the ramp admits; nil when all.
    private var ramp: Double? {
        guard rules.isFixed, let closedAt, parameters.rampSeconds > 0 else { return nil }
        let elapsed = Double(now &- closedAt) / Self.second
        // From a tenth, by equal factors, to all at the end of the ramp.
        let share = Self.rampShare * Elementary.power(1 / Self.rampShare, elapsed / parameters.rampSeconds)
        return share < 1 ? share : nil
    }

    /// Closed, with all calls admitted and nothing wrong: what is measured may be learned from.
    public var isHealthy: Bool { state == .closed && closedAt == nil && override == nil }

    // MARK: Inputs

    /// What happened since the last beat. At most one transition. With `canRelieve`, slowness makes it ask for a smaller
    /// load (`wantsRelief`) where it would have opened.
    public mutating func beat(
        _ tally: CallTally, now: UInt64, canRelieve: Bool = false, using random: inout some RandomNumberGenerator
    ) -> BreakerTransition? {
        let previous = lastBeat ?? now
        lastBeat = max(now, previous)
        wantsRelief = false
        guard mode != .off, override == nil else { return nil }
        offered.add(tally.calls + tally.rejectedByUs, seconds: Double(self.now &- previous) / Self.second)
        switch state {
        case .closed: return beatClosed(tally, since: previous, canRelieve: canRelieve, using: &random)
        case .open: return beatOpen(tally)
        case .halfOpen: return beatHalfOpen(tally, using: &random)
        }
    }

    /// An operator's word; nil takes it back, and the breaker begins anew as closed.
    public mutating func setOverride(_ override: BreakerOverride?, now: UInt64) -> BreakerTransition? {
        lastBeat = max(now, self.now)
        let before = state
        self.override = override
        state = override == .forcedOpen ? .open : .closed
        closedAt = nil
        forget()
        guard state != before else { return nil }
        return BreakerTransition(from: before, to: state, reason: .operator, calls: 0, failures: 0, slow: 0)
    }

    // MARK: Closed

    private mutating func beatClosed(
        _ tally: CallTally, since previous: UInt64, canRelieve: Bool, using random: inout some RandomNumberGenerator
    ) -> BreakerTransition? {
        window.add(tally, now: now)
        if !rules.isFixed {
            evidence.add(tally, previousBeat: previous)
            if let sum = conclusion(tally) {
                guard canRelieve, sum.slow > sum.failures else { return open(.burst, sum, isNew: true, using: &random) }
                evidence = FaultEvidence(now: now)
                wantsRelief = true
            }
        }
        var isQuiet = false
        if let closedAt {
            isQuiet = now &- closedAt < Self.quietAfterCloseNanoseconds
            if !isQuiet, ramp == nil {
                self.closedAt = nil
                failedRounds = 0
            }
        }
        // Without a bad call nothing can get worse; what is degraded is looked at until it is over.
        guard tally.bad > 0 || isDegraded || secondsOverThreshold > 0 else { return nil }
        switch rules.judge(window, parameters, onlyBursts: isQuiet, now: now) {
        case .fine:
            (secondsOverThreshold, isDegraded) = (0, false)
            return nil
        case .degraded:
            isDegraded = persists() || isDegraded
            return nil
        case .trip(let reason, let sum):
            guard reason == .burst || reason == .consecutive || persists() else { return nil }
            guard !canRelieve || sum.slow <= sum.failures else {
                (wantsRelief, isDegraded) = (true, true)
                return nil
            }
            return open(reason, sum, isNew: true, using: &random)
        }
    }

    /// The calls that prove a fault; nil while nothing does. Without calls under way silence is no evidence: only a bad
    /// call makes up for the time that it takes.
    private func conclusion(_ tally: CallTally) -> CallWindow.Sum? {
        guard tally.bad > 0 || tally.overdue > 0, evidence.isConclusive(now: now) else { return nil }
        var sum = window.sum(seconds: Double(now &- evidence.since) / Self.second)
        sum.calls += tally.overdue
        sum.slow += tally.overdue
        return rules.limits.permits(sum) ? sum : nil
    }

    /// A window over its threshold counts when it still is in the third second.
    private mutating func persists() -> Bool {
        let second = now / UInt64(Self.second)
        if second != judgedSecond || secondsOverThreshold == 0 {
            secondsOverThreshold = min(secondsOverThreshold + 1, Self.persistSeconds)
            judgedSecond = second
        }
        return secondsOverThreshold >= Self.persistSeconds
    }

    // MARK: Open

    private mutating func open(
        _ reason: TransitionReason, _ sum: CallWindow.Sum, isNew: Bool,
        using random: inout some RandomNumberGenerator
    ) -> BreakerTransition {
        let from = state
        // Tripping on the ramp is the same outage, not another one.
        if isNew, closedAt == nil {
            openedAt = now
            faultSince = rules.isFixed ? now : evidence.since
            openSeconds = parameters.openSeconds
        } else {
            failedRounds = min(failedRounds + 1, 16)
            openSeconds = min(max(Self.openSecondsMax, parameters.openSeconds), openSeconds * 2)
        }
        if !rules.isFixed {
            openSeconds = OutageClock.openSeconds(
                outageSeconds: Double(now &- faultSince) / Self.second, callsPerSecond: offered.callsPerSecond,
                longest: parameters.openSeconds
            ).clamped(to: rules.limits.openSeconds)
        }
        let jitter = Double.random(in: 0.8...1.2, using: &random)
        openUntil = now &+ UInt64(openSeconds * jitter * Self.second)
        state = .open
        closedAt = nil
        forget()
        return BreakerTransition(
            from: from, to: .open, reason: reason, calls: sum.calls, failures: sum.failures, slow: sum.slow)
    }

    private mutating func forget() {
        window.clear()
        (secondsOverThreshold, isDegraded) = (0, false)
        round = ProbeRound(isFixed: rules.isFixed)
        evidence = FaultEvidence(now: now)
    }

    private mutating func beatOpen(_ tally: CallTally) -> BreakerTransition? {
        if mode == .shadow { wouldHaveRejected += tally.calls }
        guard now >= openUntil else { return nil }
        state = .halfOpen
        round = ProbeRound(
            wanted: parameters.halfOpenProbes, isFixed: rules.isFixed,
            growth: ProbeRound.growth(
                rampSeconds: parameters.rampSeconds, offeredCalls: offeredPerBeat, beatSeconds: Self.beatSeconds))
        return BreakerTransition(
            from: .open, to: .halfOpen, reason: .openTimeOver, calls: 0, failures: 0, slow: 0)
    }

    // MARK: Half-open

    private var offeredPerBeat: Double { offered.callsPerSecond * Self.beatSeconds }

    private mutating func beatHalfOpen(
        _ tally: CallTally, using random: inout some RandomNumberGenerator
    ) -> BreakerTransition? {
        let seen = mode == .shadow ? shadowProbes(tally) : tally
        switch round.beat(seen, offeredCalls: offeredPerBeat, now: now) {
        case .goesOn:
            return nil
        case .failed:
            return open(.probesFailed, round.sum, isNew: false, using: &random)
        case .succeeded:
            state = .closed
            closedAt = now
            let sum = round.sum
            forget()
            return BreakerTransition(
                from: .halfOpen, to: .closed, reason: .probesSucceeded, calls: sum.calls, failures: sum.failures,
                slow: sum.slow, tripToCloseSeconds: Double(now &- openedAt) / Self.second,
                isAtOnce: failedRounds == 0 && sum.failures == 0)
        }
    }

    /// In shadow every call passes; the first of them stand for the probes.
    private mutating func shadowProbes(_ tally: CallTally) -> CallTally {
        let probes = min(tally.calls, round.allowance)
        wouldHaveRejected += tally.calls - probes
        var seen = CallTally()
        seen.probesBegun = probes
        seen.calls = probes
        let bad = tally.calls > 0 ? Int((Double(tally.bad * probes) / Double(tally.calls)).rounded(.up)) : 0
        (seen.probeFailures, seen.probeSuccesses) = (bad, probes - bad)
        return seen
    }
}
