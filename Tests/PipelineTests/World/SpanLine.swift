import Pipeline
import Telemetry

/// A span in one line: `kind name trace/span` and then whatever is not the default, in a fixed order.
struct SpanLine {
    let text: String

    init(_ span: SpanRecord, _ shared: Lane.SharedState, _ names: inout SpanIDNames) {
        let descriptor = shared.catalog.descriptor(span.descriptor)
        var parts = ["\(span.kind)", descriptor.spanName, "\(names.name(span.traceID))/\(names.name(span.spanID))"]
        if span.parentSpanID.isValid { parts.append("under \(names.name(span.parentSpanID))") }
        for link in [span.link].compactMap({ $0 }) + (span.detail?.moreLinks ?? []) {
            parts.append("link \(Self.text(link, &names))")
        }
        if !descriptor.template.isEmpty { parts.append("channel \(descriptor.destination)") }
        if !descriptor.group.isEmpty { parts.append("group \(descriptor.group)") }
        if span.consumer != .none { parts.append("consumer \(shared.names.text(of: span.consumer))") }
        if span.client != .none { parts.append("client \(shared.names.text(of: span.client))") }
        if span.messageID.isShown { parts.append("id \(span.messageID)") }
        if span.batchCount > 0 { parts.append("batch \(span.batchCount)") }
        if span.bodySize >= 0 { parts.append("body \(span.bodySize)") }
        if span.queueNanoseconds != .min { parts.append("queued \(span.queueNanoseconds / 1_000_000)ms") }
        if span.attempt > 0 { parts.append("attempt \(span.attempt)") }
        if span.conversationIsTraceID { parts.append("conversation trace") }
        if let conversation = span.detail?.conversationID { parts.append("conversation \(conversation)") }
        if span.error != .none { parts.append("error \(shared.names.text(of: span.error))") }
        if span.outcome != .unremarkable { parts.append(span.outcome.text) }
        if span.deadLetter != .none { parts.append("given up: \(span.deadLetter.text)") }
        if span.redeliveryDelayMilliseconds > 0 { parts.append("again in \(span.redeliveryDelayMilliseconds)ms") }
        if let position = span.detail?.position {
            if position.stream != .none { parts.append("in \(shared.names.text(of: position.stream))") }
            if position.consumerSequence > 0 {
                parts.append("delivery \(position.consumerSequence) before \(position.pending)")
            }
        }
        let milliseconds = (span.endUnixNanoseconds - span.startUnixNanoseconds) / 1_000_000
        if milliseconds > 0 { parts.append("took \(milliseconds)ms") }
        text = parts.joined(separator: " ")
    }

    private static func text(_ link: SpanLink, _ names: inout SpanIDNames) -> String {
        var text = "\(names.name(link.context.traceID))/\(names.name(link.context.spanID))"
        if link.messageID.isShown { text += "(\(link.messageID)" }
        if link.queueNanoseconds != .min { text += " \(link.queueNanoseconds / 1_000_000)ms" }
        if link.messageID.isShown { text += ")" }
        return text
    }
}

/// Short names for random ids, given out in order of appearance: t1, t2 for traces and s1, s2 for spans.
struct SpanIDNames {
    private var traces: [TraceID: String] = [:]
    private var spans: [SpanID: String] = [:]
    private var given = (traces: 0, spans: 0)

    mutating func set(_ id: TraceID, _ name: String) { traces[id] = name }

    mutating func set(_ id: SpanID, _ name: String) { spans[id] = name }

    mutating func name(_ id: TraceID) -> String {
        if let known = traces[id] { return known }
        given.traces += 1
        traces[id] = "t\(given.traces)"
        return "t\(given.traces)"
    }

    mutating func name(_ id: SpanID) -> String {
        if let known = spans[id] { return known }
        given.spans += 1
        spans[id] = "s\(given.spans)"
        return "s\(given.spans)"
    }
}
