/// A trace in one line of a list.
public struct TraceSummary: Codable, Hashable, Sendable {
    /// 32 lowercase hex digits.
    public var traceID: String
    /// The name of the first span that has no parent here.
    public var root: String
    /// The service of that span.
    public var service: String
    /// As in `TraceView`.
    public var start: String
    /// As in `TraceView`.
    public var durationNanoseconds: UInt64
    /// Spans that are here.
    public var spans: Int
    /// The first `error.type` in order of time; nil when there is none.
    public var error: String?

    private enum CodingKeys: String, CodingKey {
        case traceID = "trace_id"
        case root, service, start
        case durationNanoseconds = "duration_nanoseconds"
        case spans, error
    }

    /// The line of one trace.
    public init(_ trace: TraceView) {
        let known = Set(trace.spans.map(\.spanID))
        let root = trace.spans.first { $0.parentSpanID.map { !known.contains($0) } ?? true } ?? trace.spans.first
        traceID = trace.traceID
        self.root = root?.name ?? ""
        service = root?.service ?? ""
        start = trace.start
        durationNanoseconds = trace.durationNanoseconds
        spans = trace.spans.count
        error = trace.spans.lazy.compactMap(\.error).first
    }
}

/// The answer of `/api/v1/traces`.
public struct TraceList: Codable, Hashable, Sendable {
    /// The newest first.
    public var traces: [TraceSummary]

    /// The answer with these traces.
    public init(traces: [TraceSummary]) {
        self.traces = traces
    }

    /// A table for the terminal, the newest first.
    public func text(_ style: TerminalStyle) -> String {
        var lines = [Self.line(["TRACE", "START", "TOOK", "SPANS", "SERVICE", "ROOT"], style, .heading)]
        for trace in traces {
            let root = TerminalText.plain(trace.root) + (trace.error.map { "  error \(TerminalText.plain($0))" } ?? "")
            let cells = [
                trace.traceID, trace.start, QuantityText.duration(nanoseconds: trace.durationNanoseconds),
                String(trace.spans), TerminalText.clipped(TerminalText.plain(trace.service), 16), root,
            ]
            lines.append(Self.line(cells, style, trace.error == nil ? nil : .bad))
        }
        return lines.joined(separator: "\n")
    }

    private static func line(_ cells: [String], _ style: TerminalStyle, _ role: TerminalStyle.Role?) -> String {
        let padded = [
            TerminalText.padded(cells[0], 32), TerminalText.padded(cells[1], 27),
            TerminalText.rightAligned(cells[2], 8), TerminalText.rightAligned(cells[3], 5),
            TerminalText.padded(cells[4], 16),
        ]
        return style.paint(padded.joined(separator: "  ") + "  " + cells[5], role)
    }
}
