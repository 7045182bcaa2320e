/// A trace drawn for the terminal: a tree of spans with their bars on one axis of time, and beside each what makes it
/// different from its neighbours.
public struct Waterfall: Sendable {
    private let trace: TraceView
    private let style: TerminalStyle
    private let tree: TraceTree
    private let notes: SpanNotes
    private let isOneService: Bool

    private static let barWidth = 40
    private static let nameWidthMax = 48

    /// A drawing of this trace.
    public init(_ trace: TraceView, _ style: TerminalStyle) {
        self.trace = trace
        self.style = style
        tree = TraceTree(trace.spans, in: trace.traceID)
        notes = SpanNotes(trace, tree)
        isOneService = Set(trace.spans.map(\.service)).count <= 1
    }

    /// Several lines, without a newline behind the last.
    public var text: String {
        let names = tree.rows.map { TerminalText.clipped($0.guide + name(trace.spans[$0.span]), Self.nameWidthMax) }
        let width = names.map(\.count).max() ?? 0
        var lines = [style.paint("trace \(TerminalText.plain(trace.traceID))", .heading), summary, ""]
        for (row, name) in zip(tree.rows, names) {
            lines.append(line(row, TerminalText.padded(name, width)))
            lines += notes.links(row).map { row.continuation + style.paint("~ \($0)", .faint) }
        }
        return lines.joined(separator: "\n")
    }

    private var summary: String {
        var parts = [
            TerminalText.plain(trace.start), QuantityText.duration(nanoseconds: trace.durationNanoseconds),
            trace.spans.count == 1 ? "1 span" : "\(trace.spans.count) spans",
        ]
        if isOneService, let service = trace.spans.first?.service {
            parts.append("service \(TerminalText.plain(service))")
        }
        return parts.joined(separator: ", ")
    }

    private func name(_ span: SpanView) -> String {
        TerminalText.plain(isOneService ? span.name : "\(span.service): \(span.name)")
    }

    private func line(_ row: TraceTree.Row, _ name: String) -> String {
        let span = trace.spans[row.span]
        let role: TerminalStyle.Role? =
            span.error != nil ? .bad : span.attributes[SpanAttribute.outcome.description] != nil ? .warning : nil
        let took = QuantityText.duration(nanoseconds: span.durationNanoseconds)
        let remarks = notes.remarks(row)
        return style.paint(name, role) + "  " + TerminalText.padded(TerminalText.plain(span.kind), 8) + "  │"
            + style.paint(bar(span), role ?? .good) + "│ " + TerminalText.rightAligned(took, 8)
            + (remarks.isEmpty ? "" : "  " + style.paint(remarks, role))
    }

    /// Never without a mark, however short the span.
    private func bar(_ span: SpanView) -> String {
        let width = Double(Self.barWidth)
        let total = max(1, Double(trace.durationNanoseconds))
        let start = min(width - 1, Double(span.startNanoseconds) / total * width).rounded(.down)
        let end = ((Double(span.startNanoseconds) + Double(span.durationNanoseconds)) / total * width).rounded(.up)
        let length = Int(min(width, max(start + 1, end)) - start)
        let blanks = String(repeating: " ", count: Int(start))
        return TerminalText.padded(blanks + String(repeating: "━", count: length), Self.barWidth)
    }
}
