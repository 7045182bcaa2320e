import Glibc
public import Resilience

/// Tachograph's own breaker, as a sidecar drives it: calls are counted, beats decide, and between two beats the path
/// only follows the admission that was published last.
public struct TachographSubject: Subject {
    private var guarding: LabGuard
    private var tally = CallTally()
    private var random: LabRandom
    private var probesTaken = 0
    private var inFlight = 0
    /// What the breaker has done to itself.
    public private(set) var parameterChanges = 0

    private static let probe = Permit(mark: 1)

    public init(mode: BreakerMode, seed: UInt64) {
        random = LabRandom(seed: seed, stream: "guard")
        guarding = LabGuard(mode: mode)
    }

    public var stance: Stance {
        switch guarding.admission {
        case .all: .closed
        case .share: .limited
        case .probes: .halfOpen
        case .none: .open
        }
    }

    public var isWarning: Bool { guarding.machine.isDegraded }

    public mutating func beat(now: UInt64) {
        tally.inFlightPeak = max(tally.inFlightPeak, inFlight)
        parameterChanges += guarding.beat(tally, now: now, using: &random)
        tally = CallTally()
        tally.inFlightPeak = inFlight
        probesTaken = 0
    }

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
        if let limit = guarding.bulkheadLimit, inFlight >= limit { return reject() }
        inFlight += 1
        tally.inFlightPeak = max(tally.inFlightPeak, inFlight)
        return permit
    }

    private mutating func reject() -> Permit? {
        tally.rejectedByUs += 1
        return nil
    }

    public mutating func ended(_ call: EndedCall, now: UInt64) {
        inFlight -= 1
        let isSlow = !call.hasFailed && call.latencyNanoseconds > guarding.slowCallNanoseconds
        let logarithm = log(max(Double(call.latencyNanoseconds) / 1e9, 1e-6))
        tally.calls += 1
        tally.logSum += logarithm
        tally.logSquares += logarithm * logarithm
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

/// Stand-in for KeyGuard until it is there.
struct LabGuard: Sendable {
    var machine: BreakerMachine
    var baseline = Baseline()
    var tuner: Tuner
    var second = CallTally()
    var beats = 0
    let mode: BreakerMode
    var bulkheadLimit: Int? { nil }
    init(mode: BreakerMode) {
        self.mode = mode
        tuner = Tuner(policy: TunerPolicy(timeoutNanoseconds: 1_000_000_000), now: 0)
        machine = BreakerMachine(mode: mode, parameters: tuner.applied)
    }
    var admission: Admission { machine.admission }
    var slowCallNanoseconds: UInt64 { machine.parameters.slowCallNanoseconds }
    mutating func beat(_ t: CallTally, now: UInt64, using rng: inout LabRandom) -> Int {
        second.add(t)
        beats += 1
        let tr = machine.beat(t, now: now, using: &rng)
        var n = 0
        let ctx = TunerContext(now: now, unixSeconds: Double(now) / 1e9, isClosed: machine.isHealthy, isAnomalous: baseline.frozenSeconds > 0 || machine.isDegraded, isShadow: mode != .auto)
        if beats % 10 == 0 {
            _ = baseline.update(CallSecond(calls: Double(second.calls), failures: Double(second.failed), slow: Double(second.slow), logSum: second.logSum, logSquares: second.logSquares), isClosed: machine.isHealthy, now: now)
            n += tuner.step(baseline, context: ctx).filter { !$0.isRefused }.count
            second = CallTally()
        }
        if let d = tr?.tripToCloseSeconds { n += tuner.recovered(tripToCloseSeconds: d, baseline, context: ctx).count }
        machine.parameters = mode == .auto ? tuner.applied : machine.parameters
        return n
    }
}
