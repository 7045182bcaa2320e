import Foundation
import Telemetry

/// Shows and sets what streams of a running sidecar do.
public struct StreamDesk {
    private let client: AdminClient
    private let asJSON: Bool

    /// Asks this sidecar, and answers in text or JSON.
    public init(_ client: AdminClient, asJSON: Bool) {
        self.client = client
        self.asJSON = asJSON
    }

    private static let page = 100

    /// One line for each stream.
    public func list(show: (String) -> Void) throws {
        var after: Int64 = 0
        while true {
            let document = try client.document("/streams", [("after", "\(after)"), ("limit", "\(Self.page)")])
            guard let answer = try JSONSerialization.jsonObject(with: Data(document.utf8)) as? [String: Any],
                let streams = answer["streams"] as? [[String: Any]]
            else { throw AdminError.foreign }
            for stream in streams { show(asJSON ? LogView.line(stream) : Self.line(stream)) }
            guard let next = answer["next"] as? Int64 else { return }
            after = next
        }
    }

    private static func line(_ stream: [String: Any]) -> String {
        func number(_ name: String) -> Int64 { stream[name] as? Int64 ?? 0 }
        let groups = (stream["groups"] as? [Any])?.count ?? 0
        return [
            TerminalText.plain(stream["stream"] as? String ?? ""), "events \(number("length"))",
            "bytes \(number("bytes"))", "groups \(groups)", "duplicates \(number("duplicates"))",
            "last \(stream["last_id"] as? String ?? "-")",
        ].joined(separator: "  ")
    }

    /// What one stream does beyond Redis.
    public func settings(of stream: String) throws -> String { try shown(try client.document(Self.path(stream))) }

    /// Changes members of the settings; nil sets one back to what it is by itself.
    public func set(_ changes: [String: SettingValue?], of stream: String) throws -> String {
        let members = changes.mapValues { $0?.json ?? NSNull() }
        return try shown(try client.order(Self.path(stream), method: .put, body: LogView.line(members)))
    }

    /// A value of a setting.
    public enum SettingValue: Sendable {
        case text(String)
        case number(Int64)
        case flag(Bool)

        var json: Any {
            switch self {
            case .text(let text): text
            case .number(let number): number
            case .flag(let flag): flag
            }
        }
    }

    private static func path(_ stream: String) -> String { "/api/v1/streams/\(AdminAddress.escaped(stream))/settings" }

    private func shown(_ document: String) throws -> String {
        guard !asJSON else { return document }
        struct Settings: Decodable {
            var deduplication: String
            var deduplication_milliseconds, deduplication_events: Int64
            var compress_from_bytes, keep_milliseconds, keep_events, keep_bytes: Int64?
            var removes_unread: Bool
        }
        guard let settings = try? JSONDecoder().decode(Settings.self, from: Data(document.utf8)) else {
            throw AdminError.foreign
        }
        func number(_ value: Int64?, _ unit: String, _ otherwise: String) -> String {
            value.map { "\($0) \(unit)" } ?? otherwise
        }
        return [
            "deduplication  \(TerminalText.plain(settings.deduplication)), for \(settings.deduplication_milliseconds) ms "
                + "and \(settings.deduplication_events) events",
            "compression    " + number(settings.compress_from_bytes, "bytes of fields and more", "none"),
            "kept for       " + number(settings.keep_milliseconds, "ms", "ever"),
            "kept events    " + number(settings.keep_events, "", "all").trimmingCharacters(in: .whitespaces),
            "kept bytes     " + number(settings.keep_bytes, "", "all").trimmingCharacters(in: .whitespaces),
            "unread events  " + (settings.removes_unread ? "go with the others" : "stay until every group has them"),
        ].joined(separator: "\n")
    }
}
