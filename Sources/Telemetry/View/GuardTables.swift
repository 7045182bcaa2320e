/// What the admin API says of guards, as tables for a terminal.
public struct GuardTables: Sendable {
    private let style: TerminalStyle

    /// Tables in this style.
    public init(_ style: TerminalStyle) { self.style = style }

    /// One line per breaker.
    public func text(_ list: BreakerList) -> String {
        var rows = [["STATE", "BREAKER", "MODE", "CALLS/S", "FAILURES", "REJECTED", "OPENED", "SINCE", "LISTENER"]]
        var roles: [TerminalStyle.Role?] = [.heading]
        for breaker in list.breakers {
            rows.append([
                breaker.override.map { "\(breaker.state) (forced \($0))" } ?? breaker.state, plain(breaker.key),
                breaker.mode, Self.number(breaker.callsPerSecond), "\(Self.number(breaker.failureShare * 100)) %",
                breaker.mode == "shadow" ? "(\(breaker.wouldReject))" : "\(breaker.rejected)", "\(breaker.opened)",
                String(breaker.since.prefix(19)), plain(breaker.listener),
            ])
            roles.append(role(breaker.state))
        }
        return table(rows, roles, right: [3, 4, 5, 6])
    }

    /// One breaker in a sentence: the answer to an order.
    public func text(_ breaker: BreakerView) -> String {
        let forced = breaker.override.map { ", forced \($0) until another word" } ?? ""
        return "\(plain(breaker.key)) is \(breaker.state)\(forced)"
    }

    /// One line per parameter.
    public func text(_ list: ThresholdList) -> String {
        var rows = [["BREAKER", "PARAMETER", "APPLIED", "LEARNED", "MIN", "MAX"]]
        for threshold in list.thresholds {
            rows.append([
                plain(threshold.key), threshold.parameter, Self.number(threshold.applied),
                Self.number(threshold.learned), threshold.minimum.map(Self.number) ?? "-",
                threshold.maximum.map(Self.number) ?? "-",
            ])
        }
        return table(rows, [.heading], right: [2, 3, 4, 5])
    }

    /// One line per record, the newest first.
    public func text(_ list: GuardHistoryList) -> String {
        var rows = [["TIME", "BREAKER", "WHAT", "OLD", "NEW", "BY", "REASON"]]
        var roles: [TerminalStyle.Role?] = [.heading]
        for record in list.records {
            let new = record.old == record.new && record.proposed != nil ? "(\(record.proposed ?? ""))" : record.new
            rows.append([
                String(record.time.prefix(23)), plain(record.key), record.parameter ?? record.what, record.old, new,
                record.actor, plain(record.reason) + (record.isShadow ? ", in shadow" : ""),
            ])
            roles.append(record.what == "state" ? role(record.new) : nil)
        }
        return table(rows, roles, right: [3, 4])
    }

    /// Paragraphs, one per parameter.
    public func text(_ explanation: ThresholdExplanationView) -> String {
        let head = style.paint("\(plain(explanation.key)) on \(plain(explanation.listener))", .heading)
        return ([head] + explanation.parameters.map { $0.sentences.joined(separator: "\n  ") })
            .joined(separator: "\n\n")
    }

    private func role(_ state: String) -> TerminalStyle.Role? {
        switch state {
        case "open": .bad
        case "half_open": .warning
        default: nil
        }
    }

    private func plain(_ text: String) -> String { TerminalText.clipped(TerminalText.plain(text), 48) }

    private func table(_ rows: [[String]], _ roles: [TerminalStyle.Role?], right: Set<Int>) -> String {
        TextTable.text(rows, roles, right: right, style)
    }

    /// Three significant digits.
    private static func number(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "-" }
        var scale = 1.0
        while value != 0, abs(value) * scale < 100, scale < 1e6 { scale *= 10 }
        let rounded = (value * scale).rounded() / scale
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }
}
