/// A trace drawn for the terminal: a tree of spans with their bars on one axis of time, and beside each what makes it
/// different from its neighbours.
public struct Waterfall: Sendable {
    private let trace: TraceView
    private let style: TerminalStyle
    private let tree: TraceTree
    private let isOneService: Bool

    private static let barWidth = 40
    private static let nameWidthMax = 48
    private static let linksMax = 5

    /// A drawing of this trace.
    public init(_ trace: TraceView, _ style: TerminalStyle) {
        self.trace = trace
        self.style = style
        tree = TraceTree(trace.spans, in: trace.traceID)
        isOneService = Set(trace.spans.map(\.service)).count <= 1
    }

    /// Several lines, without a newline behind the last.
    public var text: String {
        let names = tree.rows.map { TerminalText.clipped($0.guide + name(trace.spans[$0.span]), Self.nameWidthMax) }
        let width = names.map(\.count).max() ?? 0
        var lines = [style.paint("trace \(TerminalText.plain(trace.traceID))", .heading), summary, ""]
        for (row, name) in zip(tree.rows, names) {
            lines.append(line(row, TerminalText.padded(name, width)))
            lines += linkLines(row)
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
        let details = details(row)
        return style.paint(name, role) + "  " + TerminalText.padded(TerminalText.plain(span.kind), 8) + "  │"
            + style.paint(bar(span), role ?? .good) + "│ " + TerminalText.rightAligned(took, 8)
            + (details.isEmpty ? "" : "  " + style.paint(details, role))
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

    private func details(_ row: TraceTree.Row) -> String {
        let span = trace.spans[row.span]
        var parts: [String] = []
        if let error = span.error { parts.append("error \(error)") }
        var ours = span.attributes.filter { $0.key.hasPrefix(Self.ownPrefix) }
        func take(_ key: StaticString) -> AttributeValue? { ours.removeValue(forKey: key.description) }
        if let outcome = take(SpanAttribute.outcome) { parts.append("\(outcome)") }
        if let attempt = take(SpanAttribute.deliveryAttempt) { parts.append("attempt \(attempt)") }
        if let queue = take(SpanAttribute.queueSeconds) { parts.append("queue \(Self.duration(queue))") }
        if let consumer = take(SpanAttribute.consumerName) { parts.append("consumer \(consumer)") }
        if let count = span.attributes[SpanAttribute.batchCount.description] { parts.append("\(count) messages") }
        let idKey = SpanAttribute.messageID.description
        if let id = span.attributes[idKey], id != tree.above(row.span).flatMap({ trace.spans[$0].attributes[idKey] }) {
            parts.append("id \(id)")
        }
        if let rule = take(SpanAttribute.causality) {
            let confidence = take(SpanAttribute.causalityConfidence).map { ", \($0)" } ?? ""
            parts.append("parent inferred (\(rule)\(confidence))")
        }
        for (key, value) in ours.sorted(by: { $0.key < $1.key }) {
            parts.append("\(key.dropFirst(Self.ownPrefix.count)) \(value)")
        }
        switch row.relation {
        case .root, .child: break
        case .orphan(let parent): parts.append("parent \(parent) is not here")
        case .linked: parts.append("by link")
        }
        return TerminalText.plain(parts.joined(separator: ", "))
    }

    private static let ownPrefix = "tacho."

    /// The links that the tree does not already show: to other traces, and to spans that this one does not hang under.
    private func linkLines(_ row: TraceTree.Row) -> [String] {
        let span = trace.spans[row.span]
        guard !span.links.isEmpty else { return [] }
        var above = Set(tree.ancestors(of: row.span).map { trace.spans[$0].spanID })
        if case .orphan(let parent) = row.relation { above.insert(parent) }
        let links = span.links.filter { $0.traceID != trace.traceID || !above.contains($0.spanID) }
        var texts = links.prefix(Self.linksMax).map { link in
            let isCandidate = link.attributes[SpanAttribute.causality.description] != nil
            var text = isCandidate ? "possible cause: " : "linked to "
            if link.traceID != trace.traceID { text += "trace \(link.traceID) " }
            text += "span \(link.spanID)"
            if let id = link.attributes[SpanAttribute.messageID.description] { text += ", id \(id)" }
            if let queue = link.attributes[SpanAttribute.queueSeconds.description] {
                text += ", queue \(Self.duration(queue))"
            }
            return text
        }
        let more = links.count - texts.count + max(0, span.linksLeftOut)
        if more > 0 { texts.append("linked to \(more) more") }
        return texts.map { row.continuation + style.paint("~ \(TerminalText.plain($0))", .faint) }
    }

    private static func duration(_ seconds: AttributeValue) -> String {
        switch seconds {
        case .double(let number): QuantityText.duration(seconds: number)
        case .integer(let number): QuantityText.duration(seconds: Double(number))
        case .string(let text): text
        }
    }
}
