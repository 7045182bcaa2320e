/// One trace as a page: the picture, and everything known of each span under it. Without scripts and without anything
/// from outside, so it works offline and may be saved as a file.
public struct TracePage: Sendable {
    private let trace: TraceView

    /// What a browser is told to allow: the styles of the page, and nothing else.
    public static let contentSecurityPolicy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    /// The page of this trace.
    public init(_ trace: TraceView) {
        self.trace = trace
    }

    /// The whole document.
    public var html: String {
        let spans = trace.spans.prefix(Self.spansMax)
        var details = spans.map(Self.section).joined()
        if trace.spans.count > spans.count {
            details += "<p>\(trace.spans.count - spans.count) more spans are not listed.</p>\n"
        }
        return Self.document(
            title: "Trace \(trace.traceID)",
            body: """
                <p><a href="/traces">Recent traces</a> &middot; <a href="/api/v1/traces/\(MarkupText.escaped(trace.traceID))">\
                JSON</a></p>
                <div class="picture">\(TraceDrawing(trace).svg)</div>
                <h2>Spans</h2>
                \(details)
                """)
    }

    private static let spansMax = 500

    private static func section(_ span: SpanView) -> String {
        let took = QuantityText.duration(nanoseconds: span.durationNanoseconds)
        let error = span.error.map { " <strong>\(MarkupText.escaped($0))</strong>" } ?? ""
        var rows = row("span id", span.spanID) + row("service", span.service) + row("kind", span.kind)
        if let parent = span.parentSpanID { rows += row("parent", parent) }
        for (key, value) in span.attributes.sorted(by: { $0.key < $1.key }) { rows += row(key, "\(value)") }
        for link in span.links {
            let facts = link.attributes.sorted { $0.key < $1.key }.map { ", \($0.key) \($0.value)" }.joined()
            rows +=
                "<tr><th>link</th><td><a href=\"/traces/\(MarkupText.escaped(link.traceID))\">"
                + "\(MarkupText.escaped(link.traceID))</a> span \(MarkupText.escaped(link.spanID + facts))</td></tr>\n"
        }
        if span.linksLeftOut > 0 { rows += row("links left out", "\(span.linksLeftOut)") }
        return """
            <details id="\(MarkupText.escaped(span.spanID))"><summary>\(MarkupText.escaped(span.name)), \(took)\(error)</summary>
            <table>
            \(rows)</table></details>

            """
    }

    private static func row(_ key: String, _ value: String) -> String {
        "<tr><th>\(MarkupText.escaped(key))</th><td>\(MarkupText.escaped(value))</td></tr>\n"
    }

    static func document(title: String, body: String) -> String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(MarkupText.escaped(title))</title>
        <style>
        :root { color-scheme: light dark; }
        body { font: 14px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; margin: 24px; max-width: 1248px; }
        .picture { overflow-x: auto; border: 1px solid #8884; border-radius: 6px; }
        .picture svg { display: block; max-width: 100%; height: auto; min-width: 800px; }
        h2 { font-size: 16px; } details { border-top: 1px solid #8884; padding: 6px 0; } summary { cursor: pointer; }
        table { border-collapse: collapse; margin: 6px 0 6px 18px; font-size: 13px; }
        th { text-align: left; font-weight: 500; padding: 2px 18px 2px 0; opacity: 0.75; vertical-align: top; }
        td { overflow-wrap: anywhere; padding: 2px 12px 2px 0; } strong { color: #d03a2f; }
        </style>
        </head>
        <body>
        \(body)
        </body>
        </html>

        """
    }
}

/// The newest traces as a page.
public struct TraceListPage: Sendable {
    private let list: TraceList

    /// The page of this list.
    public init(_ list: TraceList) {
        self.list = list
    }

    /// The whole document.
    public var html: String {
        let rows = list.traces.map { trace in
            let error = trace.error.map { " <strong>\(MarkupText.escaped($0))</strong>" } ?? ""
            return "<tr><td><a href=\"/traces/\(MarkupText.escaped(trace.traceID))\">"
                + "\(MarkupText.escaped(trace.root))</a>\(error)</td><td>\(MarkupText.escaped(trace.service))</td>"
                + "<td>\(QuantityText.duration(nanoseconds: trace.durationNanoseconds))</td><td>\(trace.spans)</td>"
                + "<td>\(MarkupText.escaped(trace.start))</td></tr>\n"
        }
        let table = "<table><tr><th>Trace</th><th>Service</th><th>Took</th><th>Spans</th><th>Start</th></tr>\n"
        return TracePage.document(
            title: "Recent traces",
            body: "<h2>Recent traces</h2>\n"
                + (rows.isEmpty
                    ? "<p>No trace yet: publish a message through a listener and load this page again.</p>"
                    : table + rows.joined() + "</table>"))
    }
}
