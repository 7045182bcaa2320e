import Foundation
import Telemetry

/// Lists, shows and changes the dead letters of a running sidecar.
public struct DeadLetterDesk {
    private let client: AdminClient
    private let asJSON: Bool

    /// Asks this sidecar, and answers in text or JSON.
    public init(_ client: AdminClient, asJSON: Bool) {
        self.client = client
        self.asJSON = asJSON
    }

    private static let page = 50

    /// One line for each dead letter, the oldest first.
    public func list(_ choice: DeadLetterChoice, limit: Int, show: (String) -> Void) throws {
        var (after, left) = (Int64(0), limit)
        while left > 0 {
            let document = try client.document(
                "/dead-letters",
                choice.parameters + [("after", "\(after)"), ("limit", "\(min(left, Self.page))")])
            guard let answer = try JSONSerialization.jsonObject(with: Data(document.utf8)) as? [String: Any],
                let letters = answer["dead_letters"] as? [[String: Any]]
            else { throw AdminError.foreign }
            for letter in letters {
                let line = LogView.line(letter)
                show(asJSON ? line : Self.line(try DeadLetterDocument(line)))
            }
            left -= letters.count
            guard let next = answer["next"] as? Int64 else { return }
            after = next
        }
    }

    private static func line(_ letter: DeadLetterDocument) -> String {
        let error = letter.error.isEmpty ? "" : ": " + TerminalText.plain(letter.error)
        return [
            "\(letter.number)", time(letter.dead), TerminalText.plain(letter.stream), TerminalText.plain(letter.group),
            letter.id, "\(letter.deliveries) deliveries", letter.reason + error,
        ].joined(separator: "  ")
    }

    private static func time(_ milliseconds: Int64) -> String {
        guard (0..<253_402_300_800_000).contains(milliseconds) else { return "\(milliseconds)" }
        let nanoseconds = UInt64(milliseconds).multipliedReportingOverflow(by: 1_000_000)
        return nanoseconds.overflow
            ? "\(milliseconds)" : UTCTime.text(unixNanoseconds: nanoseconds.partialValue, .milliseconds)
    }

    /// One dead letter with its whole story.
    public func text(of number: Int64) throws -> String {
        let document = try client.document("/dead-letters/\(number)")
        return asJSON ? document : Self.story(try DeadLetterDocument(document))
    }

    private static func story(_ letter: DeadLetterDocument) -> String {
        var lines = [
            "dead letter \(letter.number)" + (letter.edited ? ", edited" : ""),
            "  event       \(letter.id) of \(TerminalText.plain(letter.stream))",
            "  group       \(TerminalText.plain(letter.group))",
            "  given up    \(time(letter.dead)), \(letter.reason), after \(letter.deliveries) deliveries",
        ]
        if let trace = letter.trace { lines.append("  trace       \(TerminalText.plain(trace))") }
        for attempt in letter.attempts {
            lines.append(
                "  attempt     \(time(attempt.delivered)) to \(time(attempt.ended)), "
                    + "\(TerminalText.plain(attempt.consumer)): \(TerminalText.plain(attempt.error))")
        }
        for field in letter.fields where field.count == 2 {
            lines.append("  field       \(TerminalText.plain(field[0].shown))=\(TerminalText.plain(field[1].shown))")
        }
        return lines.joined(separator: "\n")
    }

    /// Sets and removes fields of the event in a dead letter, and shows it then.
    public func edit(
        _ number: Int64, setting changes: [(name: String, value: String)], removing names: [String]
    ) throws -> String {
        let letter = try DeadLetterDocument(try client.document("/dead-letters/\(number)"))
        let body = try letter.edited(setting: changes, removing: names)
        let document = try client.order("/dead-letters/\(number)", method: .put, body: body)
        return asJSON ? document : Self.story(try DeadLetterDocument(document))
    }

    /// Gives dead letters back to their groups, or says what that would do.
    public func redrive(_ choice: DeadLetterChoice, limit: Int, isDryRun: Bool) throws -> String {
        let document = try client.order(
            "/dead-letters/redrive", body: choice.body(limit: limit, ["dry_run": isDryRun]))
        guard !asJSON else { return document }
        struct Report: Decodable {
            var returned, appended, skipped: Int
        }
        guard let report = try? JSONDecoder().decode(Report.self, from: Data(document.utf8)) else {
            throw AdminError.foreign
        }
        return (isDryRun ? "would give back " : "gave back ") + "\(report.returned), append anew \(report.appended), "
            + "leave \(report.skipped)"
    }

    /// Deletes dead letters for good.
    public func purge(_ choice: DeadLetterChoice, limit: Int) throws -> String {
        let document = try client.order("/dead-letters/purge", body: choice.body(limit: limit))
        guard !asJSON else { return document }
        guard let report = try? JSONDecoder().decode([String: Int].self, from: Data(document.utf8)),
            let count = report["purged"]
        else { throw AdminError.foreign }
        return "deleted \(count)"
    }
}
