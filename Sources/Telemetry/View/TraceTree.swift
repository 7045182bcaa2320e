/// The spans of a trace as the rows of a tree, in the order in which they are drawn.
///
/// A span hangs under its parent. Where that is not here, it hangs under the first span of the trace that it links to,
/// as it does in Jaeger. Neither a missing parent, nor a span id used twice, nor parents in a circle lose a span.
struct TraceTree {
    struct Row: Hashable {
        /// Position in the trace's list.
        var span: Int
        /// The lines of the tree in front of the name.
        var guide: String
        /// The lines in front of what belongs to the span but stands on lines of its own.
        var continuation: String
        var relation: Relation
    }

    /// How a span came to its place.
    enum Relation: Hashable {
        case root
        /// Its parent is named but not here.
        case orphan(parent: String)
        case child(of: Int)
        /// Hangs under a span that it links to.
        case linked(to: Int)
    }

    /// Deeper rows are drawn at this depth.
    private static let depthMax = 16

    private(set) var rows: [Row] = []
    private let relations: [Relation]
    private let children: [[Int]]

    init(_ spans: [SpanView], in traceID: String) {
        let numbers = Dictionary(spans.enumerated().map { ($1.spanID, $0) }) { first, _ in first }
        relations = spans.enumerated().map { Self.relation($1, number: $0, traceID, numbers) }
        var children = [[Int]](repeating: [], count: spans.count)
        var roots: [Int] = []
        for (number, relation) in relations.enumerated() {
            switch relation {
            case .root, .orphan: roots.append(number)
            case .child(let parent), .linked(let parent): children[parent].append(number)
            }
        }
        self.children = children
        var isDrawn = [Bool](repeating: false, count: spans.count)
        // Whatever no root leads to is a circle; it begins with its earliest span.
        for start in roots + Array(spans.indices) where !isDrawn[start] { draw(start, &isDrawn) }
    }

    private static func relation(
        _ span: SpanView, number: Int, _ traceID: String, _ numbers: [String: Int]
    ) -> Relation {
        if let parent = span.parentSpanID, let found = numbers[parent], found != number { return .child(of: found) }
        for link in span.links where link.traceID == traceID {
            if let found = numbers[link.spanID], found != number { return .linked(to: found) }
        }
        return span.parentSpanID.map { .orphan(parent: $0) } ?? .root
    }

    /// The spans that a span hangs under, the nearest first. Ends also where parents go in a circle.
    func ancestors(of span: Int) -> [Int] {
        var found: [Int] = []
        var seen: Set = [span]
        var next = above(span)
        while let number = next, seen.insert(number).inserted {
            found.append(number)
            next = above(number)
        }
        return found
    }

    /// The span that a span hangs under.
    func above(_ span: Int) -> Int? {
        switch relations[span] {
        case .child(let number), .linked(let number): number
        case .root, .orphan: nil
        }
    }

    /// Without recursion: a trace may be one long chain.
    private mutating func draw(_ start: Int, _ isDrawn: inout [Bool]) {
        var waiting = [(span: start, guide: "", below: "", depth: 0)]
        isDrawn[start] = true
        while let next = waiting.popLast() {
            let below = children[next.span].filter { !isDrawn[$0] }
            for child in below { isDrawn[child] = true }
            rows.append(
                Row(
                    span: next.span, guide: next.guide, continuation: next.below + (below.isEmpty ? "   " : "│  "),
                    relation: relations[next.span]))
            let indent = next.depth < Self.depthMax ? next.below : String(next.below.dropLast(3))
            for (position, child) in below.enumerated().reversed() {
                let isLast = position == below.count - 1
                waiting.append(
                    (child, indent + (isLast ? "└─ " : "├─ "), indent + (isLast ? "   " : "│  "), next.depth + 1))
            }
        }
    }
}
