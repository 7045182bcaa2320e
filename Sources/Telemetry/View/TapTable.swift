/// The live view as lines for a terminal: one aligned line per step of a message.
public struct TapTable: Sendable {
    private let style: TerminalStyle

    /// Lines in this style.
    public init(_ style: TerminalStyle) {
        self.style = style
    }

    /// The names of the columns.
    public var header: String {
        let cells = ["TIME", "STAGE", "DESTINATION", "WHO", "MESSAGE", "SIZE", "QUEUE", "TOOK", "OUTCOME", "TRACE"]
        return style.paint(Self.line(cells), .heading)
    }

    /// A message's line. Names that are too long for their column are cut; ids never are. A trace that is not kept
    /// stands in parentheses: it can not be looked up.
    public func line(_ message: TapMessage) -> String {
        var outcome = message.outcome
        if let error = message.error { outcome = TerminalText.plain(error) }
        if let attempt = message.attempt, attempt > 1 { outcome += " #\(attempt)" }
        let cells = [
            String(message.time.dropFirst(11).prefix(12)), message.stage,
            name(message.template ?? message.destination, 20), name(who(message), 22), message.messageID ?? "-",
            message.bodyBytes.map(QuantityText.size(bytes:)) ?? "-",
            message.queueSeconds.map(QuantityText.duration(seconds:)) ?? "-",
            message.durationSeconds.map(QuantityText.duration(seconds:)) ?? "-", outcome,
            message.sampled ? message.traceID : "(\(message.traceID))",
        ]
        return style.paint(Self.line(cells), role(message))
    }

    /// What was not shown.
    public func line(_ loss: TapLoss) -> String {
        var parts: [String] = []
        if loss.skipped > 0 { parts.append("\(loss.skipped) more than the rate limit lets through") }
        if loss.dropped > 0 { parts.append("\(loss.dropped) more than could be sent here") }
        return style.paint("... " + parts.joined(separator: ", "), .faint)
    }

    private func who(_ message: TapMessage) -> String {
        let consumer = message.consumer ?? message.client
        guard let group = message.group else { return consumer ?? "-" }
        return consumer.map { "\(group)/\($0)" } ?? group
    }

    private func name(_ text: String, _ width: Int) -> String {
        TerminalText.clipped(TerminalText.plain(text), width)
    }

    private func role(_ message: TapMessage) -> TerminalStyle.Role? {
        switch TapOutcome(rawValue: message.outcome) {
        case .ok: message.error == nil ? nil : .bad
        case .error, .disconnected: .bad
        case .redelivered, .unsettled, .rejected, .terminated, .deadLettered, .spooled, .setAside, .duplicate, .deleted,
            .evicted, .unobserved, nil:
            .warning
        }
    }

    private static func line(_ cells: [String]) -> String {
        let widths = [12, 9, 20, 22, 17, 8, 8, 8, 14]
        let padded = zip(cells, widths).enumerated().map { number, cell in
            (5...7).contains(number)
                ? TerminalText.rightAligned(cell.0, cell.1) : TerminalText.padded(cell.0, cell.1)
        }
        return padded.joined(separator: "  ") + "  " + (cells.last ?? "")
    }
}
