import Foundation
public import Telemetry

/// Turns lines of the admin API into what the terminal shows.
public struct AdminView: Sendable {
    private let style: TerminalStyle

    /// A view in this style.
    public init(_ style: TerminalStyle) {
        self.style = style
    }

    /// The columns of what `tap` makes.
    public var tapHeader: String { TapTable(style).header }

    /// One line of `/api/v1/tap`; nil for what this version does not know.
    public func tap(_ line: String) -> String? {
        if let message: TapMessage = Self.decode(line) { return TapTable(style).line(message) }
        if let loss: TapLoss = Self.decode(line) { return TapTable(style).line(loss) }
        return nil
    }

    /// The answer of `/api/v1/traces`.
    public func list(_ document: String) throws(AdminError) -> String {
        guard let list: TraceList = Self.decode(document) else { throw .foreign }
        return list.text(style)
    }

    /// The answer of `/api/v1/traces/{id}`.
    public func trace(_ document: String) throws(AdminError) -> String {
        guard let trace: TraceView = Self.decode(document) else { throw .foreign }
        return Waterfall(trace, style).text
    }

    /// The same answer as a picture.
    public func drawing(_ document: String) throws(AdminError) -> String {
        guard let trace: TraceView = Self.decode(document) else { throw .foreign }
        return TraceDrawing(trace).svg
    }

    /// The same answer as a page.
    public func page(_ document: String) throws(AdminError) -> String {
        guard let trace: TraceView = Self.decode(document) else { throw .foreign }
        return TracePage(trace).html
    }

    /// The answer of `/api/v1/breakers`.
    public func breakers(_ document: String) throws(AdminError) -> String {
        guard let list: BreakerList = Self.decode(document) else { throw .foreign }
        return GuardTables(style).text(list)
    }

    /// The answer to an order.
    public func breaker(_ document: String) throws(AdminError) -> String {
        guard let breaker: BreakerView = Self.decode(document) else { throw .foreign }
        return GuardTables(style).text(breaker)
    }

    /// The answer of `/api/v1/thresholds`.
    public func thresholds(_ document: String) throws(AdminError) -> String {
        guard let list: ThresholdList = Self.decode(document) else { throw .foreign }
        return GuardTables(style).text(list)
    }

    /// The answer of `/api/v1/thresholds/history`.
    public func history(_ document: String) throws(AdminError) -> String {
        guard let list: GuardHistoryList = Self.decode(document) else { throw .foreign }
        return GuardTables(style).text(list)
    }

    /// The answer of `/api/v1/thresholds/explain`.
    public func explanation(_ document: String) throws(AdminError) -> String {
        guard let explanation: ThresholdExplanationView = Self.decode(document) else { throw .foreign }
        return GuardTables(style).text(explanation)
    }

    private static func decode<Value: Decodable>(_ line: String) -> Value? {
        try? JSONDecoder().decode(Value.self, from: Data(line.utf8))
    }
}
