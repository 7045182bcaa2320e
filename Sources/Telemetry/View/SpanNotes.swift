/// What makes a span different from its neighbours, in words: the same beside a bar on the terminal and under one in the
/// picture.
struct SpanNotes {
    private let trace: TraceView
    private let tree: TraceTree

    private static let linksMax = 5
    private static let ownPrefix = "tacho."

    init(_ trace: TraceView, _ tree: TraceTree) {
        self.trace = trace
        self.tree = tree
    }

    /// One line; empty when there is nothing to remark.
    func remarks(_ row: TraceTree.Row) -> String {
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

    /// The links that the tree does not already show, a line each: to other traces, and to spans that this one does
    /// not hang under.
    func links(_ row: TraceTree.Row) -> [String] {
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
        return texts.map(TerminalText.plain)
    }

    private static func duration(_ seconds: AttributeValue) -> String {
        switch seconds {
        case .double(let number): QuantityText.duration(seconds: number)
        case .integer(let number): QuantityText.duration(seconds: Double(number))
        case .string(let text): text
        }
    }
}
