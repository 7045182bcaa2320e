import GuardStore
import Pipeline
import Resilience
import Telemetry

/// One entry of the audit trail.
struct GuardRecord: Sendable {
    enum What: Sendable {
        case state(BreakerTransition, isShadow: Bool)
        case threshold(ThresholdChange)
        case warning(String)
    }

    var unixNanoseconds: UInt64
    var key: GuardKey
    var what: What
    /// The set that a change of a threshold led to.
    var parameters: BreakerParameters?

    /// What is kept on disk: changes of thresholds. States are in the log and in memory.
    var audit: AuditRecord? {
        guard case .threshold(let change) = what else { return nil }
        return AuditRecord(key: key.storedName, change: change, parameters: change.isRefused ? nil : parameters)
    }

    var view: GuardRecordView {
        let time = UTCTime.text(unixNanoseconds: unixNanoseconds, .milliseconds)
        switch what {
        case .state(let transition, let isShadow):
            var evidence = [
                "calls": Double(transition.calls), "failures": Double(transition.failures),
                "slow": Double(transition.slow),
            ]
            if let seconds = transition.tripToCloseSeconds { evidence["trip_to_close_seconds"] = seconds }
            return GuardRecordView(
                time: time, listener: key.listenerName, key: key.name, what: "state", parameter: nil,
                old: transition.from.text, new: transition.to.text, proposed: nil,
                reason: transition.reason.rawValue, actor: transition.reason == .operator ? "operator" : "auto",
                isShadow: isShadow, evidence: evidence, detector: nil, traceID: nil)
        case .threshold(let change):
            return GuardRecordView(
                time: time, listener: key.listenerName, key: key.name, what: "threshold",
                parameter: change.parameter.name, old: Self.text(change.old), new: Self.text(change.applied),
                proposed: Self.text(change.proposed), reason: change.limitedBy.rawValue,
                actor: change.actor.rawValue, isShadow: change.isShadow, evidence: Self.numbers(change.evidence),
                detector: change.detectorVersion, traceID: change.exemplarTraceID.map(Self.hexadecimal))
        case .warning(let text):
            return GuardRecordView(
                time: time, listener: key.listenerName, key: key.name, what: "warning", parameter: nil, old: "",
                new: "", proposed: nil, reason: text, actor: "auto", isShadow: false, evidence: [:], detector: nil,
                traceID: nil)
        }
    }

    /// Four digits behind the point are more than any of these numbers mean.
    static func text(_ value: Double) -> String {
        let rounded = (value * 10_000).rounded() / 10_000
        return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
    }

    private static func numbers(_ evidence: ThresholdEvidence) -> [String: Double] {
        var numbers = [
            "calls": evidence.calls, "calls_per_second": evidence.callsPerSecond,
            "failure_share": evidence.failureShare, "overdispersion": evidence.overdispersion,
            "log_latency_variance": evidence.logLatencyVariance, "slow_share": evidence.slowShare,
            "deviations": evidence.deviations, "window_seconds": evidence.windowSeconds,
        ]
        numbers["log_latency_mean"] = evidence.logLatencyMean
        numbers["slow_quantile"] = evidence.slowQuantile
        numbers["outage_seconds"] = evidence.outageSeconds
        return numbers
    }

    private static func hexadecimal(_ id: UInt128) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}

/// The newest entries of the audit trail, in memory.
struct GuardHistory {
    private static let recordsMax = 2_000

    private var records: [GuardRecord] = []
    private var oldest = 0

    mutating func append(_ record: GuardRecord) {
        guard records.count == Self.recordsMax else { return records.append(record) }
        records[oldest] = record
        oldest = (oldest + 1) % Self.recordsMax
    }

    /// The newest first, at most so many that fit.
    func newest(_ most: Int, where fits: (GuardRecord) -> Bool) -> [GuardRecord] {
        var found: [GuardRecord] = []
        for step in 1...max(1, records.count) where !records.isEmpty && found.count < most {
            let record = records[(oldest + records.count - step) % records.count]
            if fits(record) { found.append(record) }
        }
        return found
    }
}
