/// A trace as a picture: an SVG document without scripts, fonts or anything else from outside.
///
/// One row per span, in the order of the tree: its name, its bar on the common axis, and a line of remarks. The time on
/// the bus is hatched, errors are red, and the line from a span to the one it hangs under is dashed where that edge was
/// inferred and dotted where it is a link.
public struct TraceDrawing: Sendable {
    private let trace: TraceView
    private let tree: TraceTree
    private let notes: SpanNotes
    private let services: [String]
    private let rows: ArraySlice<TraceTree.Row>

    /// More rows make a picture that nobody can read.
    private static let rowsMax = 500
    private static let nameCharactersMax = 46
    private static let colours = 6
    private static let width = 1_200.0
    private static let margin = 24.0
    private static let namesWidth = 340.0
    private static let labelWidth = 76.0
    private static let headHeight = 92.0
    private static let rowHeight = 42.0
    private static let linkHeight = 16.0
    private static let indent = 16.0

    /// A drawing of this trace.
    public init(_ trace: TraceView) {
        self.trace = trace
        tree = TraceTree(trace.spans, in: trace.traceID)
        notes = SpanNotes(trace, tree)
        rows = tree.rows.prefix(Self.rowsMax)
        var seen: Set<String> = []
        services = trace.spans.map(\.service).filter { seen.insert($0).inserted }
    }

    /// The whole document, with a newline at its end.
    public var svg: String {
        var body = ""
        var top = Self.headHeight
        var places: [Int: Double] = [:]
        for row in rows {
            places[row.span] = top
            body += draw(row, at: top, above: tree.above(row.span).flatMap { places[$0] })
            top += height(row)
        }
        if tree.rows.count > rows.count {
            let text = "\(tree.rows.count - rows.count) more spans are not drawn"
            body += Self.text(text, x: Self.margin, y: top + 16, class: "note")
            top += 24
        }
        let height = top + 16
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.number(Self.width)) \(Self.number(height))" \
            width="\(Self.number(Self.width))" height="\(Self.number(height))" role="img" \
            aria-label="Trace \(MarkupText.escaped(trace.traceID))">
            \(Self.style)
            <rect class="ground" width="100%" height="100%"/>
            \(head)\(grid(to: top))\(body)</svg>

            """
    }

    private var axis: TimeAxis {
        let origin = Self.margin + Self.namesWidth
        return TimeAxis(
            durationNanoseconds: trace.durationNanoseconds, origin: origin,
            width: Self.width - Self.margin - Self.labelWidth - origin)
    }

    // MARK: Head

    private var head: String {
        let count = trace.spans.count == 1 ? "1 span" : "\(trace.spans.count) spans"
        let took = QuantityText.duration(nanoseconds: trace.durationNanoseconds)
        var result = Self.text("trace \(trace.traceID)", x: Self.margin, y: 32, class: "title")
        result += Self.text("\(trace.start), \(took), \(count)", x: Self.margin, y: 52, class: "note")
        var left = axis.origin
        for (number, service) in services.prefix(Self.colours).enumerated() {
            let name = TerminalText.clipped(service, 24)
            result += Self.rectangle("s\(number)", x: left, y: 43, width: 10, height: 10)
            result += Self.text(name, x: left + 16, y: 52, class: "note")
            left += 34 + 7 * Double(name.count)
        }
        return result
    }

    private func grid(to bottom: Double) -> String {
        var result = ""
        for tick in axis.ticks {
            let x = Self.number(axis.position(tick))
            result += "<line class=\"grid\" x1=\"\(x)\" y1=\"78\" x2=\"\(x)\" y2=\"\(Self.number(bottom))\"/>\n"
            let label = tick == 0 ? "0" : QuantityText.duration(nanoseconds: tick)
            result += Self.text(label, x: axis.position(tick), y: 72, class: "tick")
        }
        return result
    }

    // MARK: Rows

    private func height(_ row: TraceTree.Row) -> Double {
        Self.rowHeight + Self.linkHeight * Double(notes.links(row).count)
    }

    private func draw(_ row: TraceTree.Row, at top: Double, above: Double?) -> String {
        let span = trace.spans[row.span]
        let left = Self.margin + Self.indent * Double(row.guide.count / 3)
        var result = "<g>\n<title>\(MarkupText.escaped(tooltip(span)))</title>\n"
        if let above { result += edge(row, span, from: above, to: top, left) }
        let characters = max(8, Self.nameCharactersMax - 2 * (row.guide.count / 3))
        result += Self.text(
            TerminalText.clipped(span.name, characters), x: left, y: top + 17,
            class: span.error == nil ? "name" : "name bad")
        result += bar(span, at: top)
        let remarks = notes.remarks(row)
        let kind = services.count > 1 ? "\(span.service), \(span.kind)" : span.kind
        result += Self.text(TerminalText.clipped(kind, characters), x: left, y: top + 32, class: "note")
        result += Self.text(remarks, x: axis.origin, y: top + 32, class: span.error == nil ? "note" : "note bad")
        for (number, link) in notes.links(row).enumerated() {
            result += Self.text(
                "~ \(link)", x: axis.origin, y: top + 48 + Self.linkHeight * Double(number), class: "note link")
        }
        return result + "</g>\n"
    }

    /// From the span that this one hangs under, down and to the right.
    private func edge(
        _ row: TraceTree.Row, _ span: SpanView, from above: Double, to top: Double, _ left: Double
    ) -> String {
        var kind = "edge"
        if case .linked = row.relation { kind = "edge dotted" }
        if span.attributes[SpanAttribute.causality.description] != nil { kind = "edge dashed" }
        let x = Self.number(left - Self.indent + 5)
        let line = "M\(x) \(Self.number(above + 36))V\(Self.number(top + 13))H\(Self.number(left - 3))"
        return "<path class=\"\(kind)\" d=\"\(line)\"/>\n"
    }

    private func bar(_ span: SpanView, at top: Double) -> String {
        let start = axis.position(span.startNanoseconds)
        let end = axis.position(span.startNanoseconds &+ span.durationNanoseconds)
        // Never without a mark, however short the span, and never beyond the axis.
        let width = max(2, end - start)
        let x = min(start, axis.origin + axis.width - width)
        let colour = (services.firstIndex(of: span.service) ?? 0) % Self.colours
        var result = dwell(span, at: top)
        let kind = span.error != nil ? "fault" : "s\(colour)"
        result += Self.rectangle(kind, x: x, y: top + 6, width: width, height: 14)
        if isBus(span) { result += Self.rectangle("hatch", x: x, y: top + 6, width: width, height: 14) }
        let took = QuantityText.duration(nanoseconds: span.durationNanoseconds)
        return result + Self.text(took, x: x + width + 6, y: top + 17, class: "took")
    }

    /// The time that a message waited before it was processed, unless the bus has a span of its own for it.
    private func dwell(_ span: SpanView, at top: Double) -> String {
        guard span.attributes[SpanAttribute.operationType.description] == .string(OperationType.process.rawValue),
            case .double(let seconds)? = span.attributes[SpanAttribute.queueSeconds.description], seconds > 0,
            !trace.spans.contains(where: { isBus($0) && $0.spanID == span.parentSpanID })
        else { return "" }
        let nanoseconds = UInt64(min(seconds * 1e9, 1e18))
        let start = axis.position(span.startNanoseconds > nanoseconds ? span.startNanoseconds - nanoseconds : 0)
        let width = axis.position(span.startNanoseconds) - start
        guard width > 0 else { return "" }
        return Self.rectangle("dwell", x: start, y: top + 10, width: width, height: 6)
            + Self.rectangle("hatch", x: start, y: top + 10, width: width, height: 6)
    }

    private func isBus(_ span: SpanView) -> Bool {
        span.attributes[SpanAttribute.operationName.description] == .string("queue")
            && span.attributes[SpanAttribute.operationType.description] == nil
    }

    private func tooltip(_ span: SpanView) -> String {
        let lines = span.attributes.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }
        return ["\(span.name) (\(span.kind), \(span.service))", "span \(span.spanID)"].joined(separator: ", ")
            + (lines.isEmpty ? "" : "; " + lines.joined(separator: "; "))
    }

    // MARK: Elements

    private static func number(_ value: Double) -> String { MarkupText.number(value) }

    private static func text(_ text: String, x: Double, y: Double, class kind: String) -> String {
        guard !text.isEmpty else { return "" }
        return "<text class=\"\(kind)\" x=\"\(number(x))\" y=\"\(number(y))\">\(MarkupText.escaped(text))</text>\n"
    }

    private static func rectangle(_ kind: String, x: Double, y: Double, width: Double, height: Double) -> String {
        "<rect class=\"\(kind)\" x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" "
            + "height=\"\(number(height))\" rx=\"2\"/>\n"
    }

    /// The six colours are told apart with every common kind of colour blindness (Okabe and Ito, 2008).
    private static let style = """
        <style>
        svg { font: 13px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
        .ground { fill: #ffffff; } .title { font-weight: 600; font-size: 16px; fill: #1b1f24; }
        .name { fill: #1b1f24; } .note, .tick, .took { font-size: 11px; fill: #5b6570; } .took { fill: #1b1f24; }
        .tick { text-anchor: middle; } .link { font-style: italic; } .grid { stroke: #e4e8ec; }
        .edge { fill: none; stroke: #9aa4ae; } .dashed { stroke-dasharray: 4 3; stroke: #b35900; }
        .dotted { stroke-dasharray: 1 3; } .bad { fill: #b3261e; } .fault { fill: #d03a2f; }
        .s0 { fill: #0072b2; } .s1 { fill: #e69f00; } .s2 { fill: #009e73; } .s3 { fill: #cc79a7; }
        .s4 { fill: #56b4e9; } .s5 { fill: #8a8d91; } .dwell { fill: #c9d1d9; } .hatch { fill: url(#waiting); }
        @media (prefers-color-scheme: dark) {
        .ground { fill: #14181d; } .title, .name, .took { fill: #e6eaee; } .note, .tick { fill: #9aa4ae; }
        .grid { stroke: #262c33; } .edge { stroke: #5b6570; } .bad { fill: #ff8a80; } .dwell { fill: #39424c; }
        }
        </style>
        <defs><pattern id="waiting" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <line x1="0" y1="0" x2="0" y2="6" stroke="#ffffff" stroke-opacity="0.55" stroke-width="3"/></pattern></defs>
        """
}
