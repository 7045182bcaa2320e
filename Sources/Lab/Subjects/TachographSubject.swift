import Glibc
public import Resilience

/// Tachograph's own breaker, as a sidecar drives it: calls are counted, beats decide, and between two beats the path
/// only follows the admission that was published last.
public struct TachographSubject: Subject {
    private var guarding: KeyGuard
    private var tally = CallTally()
    private var random: LabRandom
    private var probesTaken = 0
    /// When the calls under way began, the oldest first.
    private var begun: [UInt64] = []
    private var inFlight: Int { begun.count }
    /// When a limit last turned a call away, for as long as that was lately.
    private var turnedAwayAt: UInt64?
    /// What the breaker has done to itself.
    public private(set) var parameterChanges = 0

    private static let probe = Permit(mark: 1)
    private static let turnedAwayNanoseconds: UInt64 = 1_000_000_000

    /// A guard as the sidecar makes it for a new key. Nothing is set by hand but the client's timeout, unless given.
    public init(mode: BreakerMode, bulkhead: ClosedRange<Int>? = nil, bounds: ParameterBounds? = nil, seed: UInt64) {
        random = LabRandom(seed: seed, stream: "guard")
        guarding = KeyGuard(
            policy: GuardPolicy(
                mode: mode, timeoutNanoseconds: Evaluation.timeoutNanoseconds, bounds: bounds ?? ParameterBounds(),
                bulkhead: bulkhead),
            now: 0, unixSeconds: Self.unixSeconds(0))
    }

    /// The wall clock of the run begins at a midnight.
    private static func unixSeconds(_ now: UInt64) -> Double { 1_700_006_400 + Double(now) / 1e9 }

    /// Shadow never rejects: what it shows is what calls meet.
    public var stance: Stance {
        switch guarding.admission {
        case .all: turnsAway ? .limited : .closed
        case .share: .limited
        case .probes: .halfOpen
        case .none: .open
        }
    }

    private var turnsAway: Bool { turnedAwayAt != nil }

    /// A learned threshold is exceeded, or the breaker would be open if it were not in shadow.
    public var isWarning: Bool { guarding.breaker.isDegraded || guarding.breaker.state != .closed }

    /// Gives the guard what happened since the last beat.
    public mutating func beat(now: UInt64) {
        tally.inFlightPeak = max(tally.inFlightPeak, inFlight)
        tally.overdue = begun.prefix { now - $0 > guarding.slowCallNanoseconds }.count
        let events = guarding.beat(tally, now: now, unixSeconds: Self.unixSeconds(now), using: &random)
        parameterChanges += events.count { if case .threshold(let change) = $0 { !change.isRefused } else { false } }
        tally = CallTally()
        tally.inFlightPeak = inFlight
        probesTaken = 0
        if let turnedAwayAt, now - turnedAwayAt > Self.turnedAwayNanoseconds { self.turnedAwayAt = nil }
    }

    /// Follows the admission that was published last.
    public mutating func admit(now: UInt64) -> Permit? {
        var permit = Permit()
        switch guarding.admission {
        case .all: break
        case .share(let share):
            guard random.uniform() < share else { return reject() }
        case .none: return reject()
        case .probes(let most):
            guard probesTaken < most else { return reject() }
            probesTaken += 1
            tally.probesBegun += 1
            permit = Self.probe
        }
        if let limit = guarding.bulkheadLimit, inFlight >= limit {
            turnedAwayAt = now
            return reject()
        }
        begun.append(now)
        tally.inFlightPeak = max(tally.inFlightPeak, inFlight)
        return permit
    }

    private mutating func reject() -> Permit? {
        tally.rejectedByUs += 1
        return nil
    }

    /// Counts what came of a call.
    public mutating func ended(_ call: EndedCall, now: UInt64) {
        if let position = begun.firstIndex(of: call.began) { begun.remove(at: position) }
        let isSlow = !call.hasFailed && call.latencyNanoseconds > guarding.slowCallNanoseconds
        let logarithm = log(max(Double(call.latencyNanoseconds) / 1e9, 1e-6))
        tally.calls += 1
        tally.logSum += logarithm
        tally.logSquares += logarithm * logarithm
        tally.sampleSeconds = Double(call.latencyNanoseconds) / 1e9
        if isSlow { tally.slow += 1 }
        switch call.ending {
        case .success: break
        case .error: tally.failures[.unavailable] += 1
        case .timeout: tally.failures[.timeout] += 1
        case .refused: tally.failures[.throttled] += 1
        }
        guard call.permit == Self.probe else { return }
        if call.hasFailed || isSlow { tally.probeFailures += 1 } else { tally.probeSuccesses += 1 }
    }
}
