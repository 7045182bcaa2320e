import Foundation
public import Telemetry

/// Lists, shows, redrives and purges what the spool of a running sidecar keeps.
public struct SpoolDesk {
    private let client: AdminClient
    private let asJSON: Bool
    private let tables: SpoolTables

    /// Asks this sidecar, and answers in text of this style or in JSON.
    public init(_ client: AdminClient, asJSON: Bool, _ style: TerminalStyle) {
        self.client = client
        self.asJSON = asJSON
        tables = SpoolTables(style) { text in Data(base64Encoded: text).map { Array($0) } }
    }

    private static let page = 50
    private static let streamsMax = 10_000

    /// One line for each stream.
    public func streams(_ selection: SpoolSelection, show: (String) -> Void) throws {
        let document = try client.document(
            "/api/v1/spool", selection.streamParameters + [("limit", "\(Self.streamsMax)")])
        let list: SpoolList = try Self.decode(document)
        guard asJSON else { return show(tables.text(list)) }
        for stream in list.streams { show(try Self.line(stream)) }
    }

    /// Messages with all that they say, stream by stream, the oldest first.
    public func messages(
        _ selection: SpoolSelection, isWaiting: Bool, limit: Int, show: (String) -> Void
    ) throws {
        let state = isWaiting ? SpoolMessageState.waiting : .setAside
        let ids: [String?] = selection.ids.isEmpty ? [nil] : selection.ids
        for id in ids {
            let shown = try pages(
                selection.parameters + [("state", state.rawValue), ("id", id)], limit: limit, show: show)
            if let id, shown == 0 {
                throw AdminError(.refused, "no message \(id) \(isWaiting ? "waits" : "is set aside")")
            }
        }
    }

    private enum SpoolMessageState: String {
        case waiting
        case setAside = "set_aside"
    }

    /// Shows page after page; the number of messages.
    private func pages(
        _ parameters: [(name: String, value: String?)], limit: Int, show: (String) -> Void
    ) throws -> Int {
        var (after, left): (String?, Int) = (nil, limit)
        while left > 0 {
            let document = try client.document(
                "/api/v1/spool/messages", parameters + [("after", after), ("limit", "\(min(left, Self.page))")])
            let list: SpoolMessageList = try Self.decode(document)
            for message in list.messages { show(asJSON ? try Self.line(message) : tables.text(message)) }
            left -= list.messages.count
            after = list.next
            if after == nil { break }
        }
        return limit - left
    }

    /// Has messages wait again, or says what that would do.
    public func redrive(_ selection: SpoolSelection, limit: Int, isDryRun: Bool) throws -> String {
        let document = try client.order(
            "/api/v1/spool/redrive", body: selection.body(limit: limit, ["dry_run": isDryRun]))
        return asJSON ? document : tables.text(try Self.decode(document) as SpoolRedriveReport)
    }

    /// Deletes messages for good.
    public func purge(_ selection: SpoolSelection, limit: Int) throws -> String {
        let document = try client.order("/api/v1/spool/purge", body: selection.body(limit: limit))
        return asJSON ? document : tables.text(try Self.decode(document) as SpoolPurgeReport)
    }

    private static func decode<Value: Decodable>(_ document: String) throws(AdminError) -> Value {
        guard let value = try? JSONDecoder().decode(Value.self, from: Data(document.utf8)) else { throw .foreign }
        return value
    }

    private static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
