/// Watches one run from outside: it knows the truth about the destination, which the subject does not.
struct Observer: Sendable {
    private let workload: Workload
    /// When the fault that should be noticed begins; in a ramp, later than the ramp.
    private let onset: UInt64?
    /// When the conditions are well again for good.
    private let faultEnd: UInt64?

    private var stance = Stance.closed
    private var lastFaulty: UInt64?
    private var isDistressed = false
    private var wasDistressed = false
    private var metrics = RunMetrics()
    private var leftClosedAt: UInt64?
    private var warnedAt: UInt64?
    private var opensInFault = 0
    private var wellSince: UInt64?
    private var recoveredAt: UInt64?

    private static let settledNanoseconds: UInt64 = 5_000_000_000

    init(_ workload: Workload) {
        self.workload = workload
        let beat = Evaluation.beatNanoseconds
        onset = workload.faultyBeats.firstIndex(of: true).map { UInt64($0) * beat }
        faultEnd = workload.faultyBeats.lastIndex(of: true).map { UInt64($0 + 1) * beat }
    }

    /// The state of the destination at a beat. A queue longer than the objective is a fault too, whoever made it.
    mutating func beat(isFaulty: Bool, wait: UInt64, now: UInt64) {
        isDistressed = wait > Evaluation.objectiveNanoseconds
        if isFaulty || isDistressed { lastFaulty = now }
        if let onset, now >= onset, isDistressed { wasDistressed = true }
    }

    /// After the subject's beat: whether it is over, for it and for the destination.
    mutating func settle(now: UInt64) {
        guard let faultEnd, now >= faultEnd, recoveredAt == nil else { return }
        if stance == .closed, !isDistressed {
            let since = wellSince ?? now
            wellSince = since
            if now - since >= Self.settledNanoseconds { recoveredAt = since }
        } else {
            wellSince = nil
        }
    }

    mutating func admitted(_ fate: Destination.Fate, isFaulty: Bool) {
        metrics.admitted += 1
        if isFaulty, !fate.isGood { metrics.exposed += 1 }
    }

    mutating func rejected(_ fate: Destination.Fate, isFaulty: Bool) {
        if !isFaulty {
            metrics.rejectedHealthy += 1
        } else if fate.isGood {
            metrics.rejectedGoodInFault += 1
        } else {
            metrics.rejectedBadInFault += 1
        }
    }

    /// Compares what the subject shows now with what it showed before.
    mutating func look(_ subject: any Subject, now: UInt64) {
        let shown = subject.stance
        if warnedAt == nil, subject.isWarning, isAfterBegin(now) { warnedAt = now }
        guard shown != stance else { return }
        defer { stance = shown }
        if shown != .closed, leftClosedAt == nil, isAfterBegin(now) { leftClosedAt = now }
        guard shown == .open, stance == .closed || stance == .limited else { return }
        metrics.opens += 1
        if isJustified(now) { opensInFault += 1 } else { metrics.falseOpens += 1 }
    }

    private func isAfterBegin(_ now: UInt64) -> Bool {
        workload.scenario.purpose == .benign || Double(now) / 1e9 >= workload.fault.begin
    }

    /// Inside a fault, up to five seconds after one, or while one builds up.
    private func isJustified(_ now: UInt64) -> Bool {
        if let lastFaulty, now <= lastFaulty + Evaluation.lateEvidenceNanoseconds { return true }
        guard workload.scenario.purpose == .fault, let onset else { return false }
        return now < onset && Double(now) / 1e9 >= workload.fault.begin
    }

    /// The figures of the run.
    func metrics(_ subject: any Subject, end: UInt64) -> RunMetrics {
        var result = metrics
        if let onset {
            if let leftClosedAt { result.detectSeconds = Self.seconds(leftClosedAt, since: onset) }
            if let warnedAt { result.warnSeconds = Self.seconds(warnedAt, since: onset) }
        }
        if let onset, let faultEnd {
            result.opensPerMinute = Double(opensInFault) / Self.seconds(faultEnd, since: onset) * 60
            if result.opens > 0 || leftClosedAt != nil || wasDistressed {
                result.recoverySeconds = Self.seconds(recoveredAt ?? end, since: faultEnd)
            }
        } else {
            result.opensPerMinute = Double(result.opens) / Self.seconds(end, since: 0) * 60
        }
        result.changesPerHour = Double(subject.parameterChanges) / Self.seconds(end, since: 0) * 3_600
        return result
    }

    private static func seconds(_ time: UInt64, since begin: UInt64) -> Double {
        (Double(time) - Double(begin)) / 1e9
    }
}
