import Database
import Resilience

/// An audit record as a row of the table, and back.
enum AuditRow {
    static let columns = [
        "number", "unix", "key", "parameter", "old", "proposed", "applied", "limited_by", "actor", "shadow", "version",
        "detector", "exemplar", "calls", "calls_per_second", "failure_share", "overdispersion", "log_latency_mean",
        "log_latency_variance", "slow_share", "deviations", "window_seconds", "slow_quantile", "outage_seconds",
    ]
    static let insert =
        "INSERT INTO audit (\(columns.dropFirst().joined(separator: ", "))) "
        + "VALUES (\(columns.dropFirst().map { _ in "?" }.joined(separator: ", ")))"

    /// All columns but the number.
    static func values(_ record: AuditRecord) -> [SQLiteValue] {
        let (change, evidence) = (record.change, record.change.evidence)
        return [
            .real(change.unixSeconds), .text(record.key), .text(change.parameter.name), .real(change.old),
            .real(change.proposed), .real(change.applied), .text(change.limitedBy.rawValue),
            .text(change.actor.rawValue), .integer(change.isShadow ? 1 : 0), .integer(Int64(change.version)),
            .text(change.detectorVersion), change.exemplarTraceID.map { .blob(bytes($0)) } ?? .null,
            .real(evidence.calls), .real(evidence.callsPerSecond), .real(evidence.failureShare),
            .real(evidence.overdispersion), evidence.logLatencyMean.map { .real($0) } ?? .null,
            .real(evidence.logLatencyVariance), .real(evidence.slowShare), .real(evidence.deviations),
            .real(evidence.windowSeconds), evidence.slowQuantile.map { .real($0) } ?? .null,
            evidence.outageSeconds.map { .real($0) } ?? .null,
        ]
    }

    /// The record of a row of all columns; nil where another program wrote something else.
    static func record(_ row: [SQLiteValue]) -> AuditRecord? {
        guard row.count == columns.count, case .integer(let number) = row[0], case .text(let key) = row[2],
            case .text(let name) = row[3], let parameter = BreakerParameter(name: name),
            case .text(let limit) = row[7], let limitedBy = ThresholdLimit(rawValue: limit),
            case .text(let actor) = row[8], let actor = ThresholdActor(rawValue: actor),
            case .integer(let shadow) = row[9], case .integer(let version) = row[10],
            case .text(let detector) = row[11]
        else { return nil }
        var evidence = ThresholdEvidence()
        evidence.calls = real(row[13]) ?? 0
        evidence.callsPerSecond = real(row[14]) ?? 0
        evidence.failureShare = real(row[15]) ?? 0
        evidence.overdispersion = real(row[16]) ?? 1
        evidence.logLatencyMean = real(row[17])
        evidence.logLatencyVariance = real(row[18]) ?? 0
        evidence.slowShare = real(row[19]) ?? 0
        evidence.deviations = real(row[20]) ?? 0
        evidence.windowSeconds = real(row[21]) ?? 0
        evidence.slowQuantile = real(row[22])
        evidence.outageSeconds = real(row[23])
        let change = ThresholdChange(
            unixSeconds: real(row[1]) ?? 0, parameter: parameter, old: real(row[4]) ?? 0, proposed: real(row[5]) ?? 0,
            applied: real(row[6]) ?? 0, limitedBy: limitedBy, actor: actor, evidence: evidence, isShadow: shadow != 0,
            version: UInt32(truncatingIfNeeded: version), detectorVersion: detector,
            exemplarTraceID: identifier(row[12]))
        return AuditRecord(key: key, change: change, number: number)
    }

    private static func real(_ value: SQLiteValue) -> Double? {
        guard case .real(let number) = value else { return nil }
        return number
    }

    private static func bytes(_ identifier: UInt128) -> [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: identifier >> (120 - 8 * UInt128($0))) }
    }

    private static func identifier(_ value: SQLiteValue) -> UInt128? {
        guard case .blob(let bytes) = value, bytes.count == 16 else { return nil }
        return bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }
}
