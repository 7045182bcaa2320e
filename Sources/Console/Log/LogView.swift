public import EventLog
import Foundation
import Telemetry

/// How what was found out about a log, or done with it, is shown: one line each, as text or as JSON.
public struct LogView: Sendable {
    private let asJSON: Bool

    /// Lines of text, or objects.
    public init(asJSON: Bool) { self.asJSON = asJSON }

    /// What a walk along one chain found.
    public func chain(_ report: ChainReport) -> String {
        let stream = String(decoding: report.stream, as: UTF8.self)
        guard asJSON else {
            let counted = "\(report.events) events" + (report.removed > 0 ? ", \(report.removed) deleted" : "")
            let found = report.firstBreak.map { "BROKEN at offset \($0.offset): \($0)" } ?? "whole"
            return [TerminalText.plain(stream), counted, found].joined(separator: "  ")
        }
        var object: [String: Any] = [
            "stream": stream, "events": report.events, "removed": report.removed, "whole": report.isWhole,
        ]
        if let first = report.firstBreak {
            object["break"] = [
                "offset": first.offset, "id": first.id.map { "\($0)" as Any } ?? NSNull(), "kind": "\(first.kind)",
                "expected": Self.hash(first.expected), "found": Self.hash(first.found), "detail": "\(first)",
            ]
        }
        return Self.line(object)
    }

    private static func hash(_ bytes: [UInt8]?) -> Any { bytes.map { ChainBreak.hex($0) as Any } ?? NSNull() }

    /// A contradiction that SQLite found in the file.
    public func structure(_ fault: String) -> String {
        asJSON ? Self.line(["structure": fault]) : "the file contradicts itself: \(TerminalText.plain(fault))"
    }

    /// The end of a command that made a log of another.
    public func made(_ verb: String, from source: String, to target: String, bytes: Int64) -> String {
        guard asJSON else { return "\(verb) \(source) to \(target), \(bytes) bytes" }
        return Self.line(["done": verb, "from": source, "to": target, "bytes": bytes])
    }

    /// A step of a continuous copy; nil for what is not worth a line.
    func step(_ step: ContinuousCopy.Step, behindSeconds: Double) -> String? {
        let behind = (behindSeconds * 1_000).rounded() / 1_000
        switch step {
        case .whole:
            return asJSON
                ? Self.line(["step": "whole", "behind_seconds": behind]) : "the whole log is copied; following it"
        case .followed(let bytes):
            guard asJSON, bytes > 0 else { return nil }
            return Self.line(["step": "followed", "bytes": bytes, "behind_seconds": behind])
        case .heldUp: return asJSON ? Self.line(["step": "held_up", "behind_seconds": behind]) : nil
        }
    }

    /// The body of an order to the admin API: what it means, or all, which must be said.
    static func order(_ filter: [String: Any], limit: Int, _ more: [String: Any]) -> String {
        var body = more
        body["limit"] = limit
        if filter.isEmpty { body["all"] = true } else { body["filter"] = filter }
        return line(body)
    }

    static func line(_ object: [String: Any]) -> String {
        let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? JSONSerialization.data(withJSONObject: object, options: options) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }
}
