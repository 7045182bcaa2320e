import Foundation
import Telemetry

/// How projections and their rows are shown: the resources of `/projections`, as text.
public struct ProjectionView: Sendable {
    /// For a terminal or a file alike.
    public init() {}

    private struct List: Decodable {
        var projections: [Projection]
    }

    private struct Projection: Decodable {
        var name: String
        var stream: String
        var position: Int64
        var lag: Int64
        var rows: Int64
        var folded: Int64
        var skipped: Int64
        var unusable: Int64
        var unusable_values: Int64
        var missed: Int64
    }

    /// Lines for the answer of `/projections`.
    public func list(_ document: String) throws(AdminError) -> [String] {
        guard let list = try? JSONDecoder().decode(List.self, from: Data(document.utf8)) else { throw Self.foreign }
        return list.projections.map(line)
    }

    /// A line for the answer that speaks of one projection.
    public func projection(_ document: String) throws(AdminError) -> String {
        guard let projection = try? JSONDecoder().decode(Projection.self, from: Data(document.utf8)) else {
            throw Self.foreign
        }
        return line(projection)
    }

    /// Whether the answer speaks of a projection that has looked at everything.
    public func isCurrent(_ document: String) -> Bool {
        (try? JSONDecoder().decode(Projection.self, from: Data(document.utf8)))?.lag == 0
    }

    /// Lines for the answer of `/projections/{name}/rows`, and the key behind which there are more; nil for none.
    public func rows(_ document: String) throws(AdminError) -> (lines: [String], next: String?) {
        guard let answer = try? JSONSerialization.jsonObject(with: Data(document.utf8)) as? [String: Any],
            let rows = answer["rows"] as? [[String: Any]]
        else { throw Self.foreign }
        let lines = rows.map { row in
            let values = (row["values"] as? [String: Any] ?? [:]).sorted { $0.key < $1.key }
                .map { "\($0.key)=\(Self.text($0.value))" }
            return ([TerminalText.plain(row["key"] as? String ?? "")] + values).joined(separator: "  ")
        }
        return (lines, answer["next"] as? String)
    }

    private func line(_ projection: Projection) -> String {
        var parts = [
            TerminalText.plain(projection.name), "of \(TerminalText.plain(projection.stream))",
            "rows \(projection.rows)", "position \(projection.position)", "lag \(projection.lag)",
        ]
        let others = [
            ("skipped", projection.skipped), ("unusable", projection.unusable),
            ("unusable values", projection.unusable_values), ("missed", projection.missed),
        ]
        parts += others.filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }
        return parts.joined(separator: "  ")
    }

    private static func text(_ value: Any) -> String {
        switch value {
        case let text as String: TerminalText.plain(text)
        case let number as NSNumber: "\(number)"
        default: "-"
        }
    }

    private static let foreign = AdminError(.answer, "the answer is not that of a sidecar with projections")
}
