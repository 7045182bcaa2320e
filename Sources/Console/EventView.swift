import Foundation
import Telemetry

/// How events, streams and groups are shown: one line each, as text or as JSON.
public struct EventView: Sendable {
    private let asJSON: Bool

    /// Lines of text, or objects.
    public init(asJSON: Bool) { self.asJSON = asJSON }

    /// An entry as XRANGE gives it; nil for what is none.
    public func event(_ entry: BusReply, stream: String) -> String? {
        guard let id = entry.elements.first?.text, entry.elements.count == 2 else { return nil }
        let milliseconds = id.split(separator: "-").first.flatMap { UInt64($0) } ?? 0
        // A time that cannot be written is left out: producers may choose their ids.
        let time =
            milliseconds < 253_402_300_800_000 && milliseconds < UInt64.max / 1_000_000
            ? UTCTime.text(unixNanoseconds: milliseconds * 1_000_000, .milliseconds) : ""
        let fields = entry.elements[1].pairs
        guard asJSON else {
            let shown = fields.map { "\(TerminalText.plain($0.name))=\(TerminalText.plain($0.value.text ?? ""))" }
            return ([id, time].filter { !$0.isEmpty } + shown).joined(separator: "  ")
        }
        let named = Dictionary(fields.map { ($0.name, $0.value.text ?? "") }) { $1 }
        return Self.line(["stream": stream, "id": id, "time": time, "fields": named])
    }

    /// A stream with what XINFO STREAM says.
    public func stream(_ name: String, _ info: BusReply) -> String {
        let numbers = ["length", "groups"].map { ($0, info[$0]?.number ?? 0) }
        let last = info["last-generated-id"]?.text ?? ""
        guard asJSON else {
            return TerminalText.plain(name) + "  " + numbers.map { "\($0.0) \($0.1)" }.joined(separator: "  ")
                + "  last \(last)"
        }
        var object: [String: Any] = ["stream": name, "last_id": last]
        for (key, value) in numbers { object[key] = value }
        return Self.line(object)
    }

    /// A group with what XINFO GROUPS says.
    public func group(_ info: BusReply, stream: String) -> String? {
        guard let name = info["name"]?.text else { return nil }
        let keys = ["consumers", "pending", "lag"]
        let last = info["last-delivered-id"]?.text ?? ""
        guard asJSON else {
            let numbers = keys.map { "\($0) \(info[$0]?.number.map(String.init) ?? "unknown")" }
            return ([stream, name].map(TerminalText.plain) + numbers + ["last \(last)"]).joined(separator: "  ")
        }
        var object: [String: Any] = ["stream": stream, "group": name, "last_id": last]
        for key in keys { object[key] = info[key]?.number.map { $0 as Any } ?? NSNull() }
        return Self.line(object)
    }

    /// The id of an appended event.
    public func appended(_ id: String, stream: String) -> String {
        asJSON ? Self.line(["stream": stream, "id": id]) : id
    }

    private static func line(_ object: [String: Any]) -> String {
        let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? JSONSerialization.data(withJSONObject: object, options: options) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }
}
