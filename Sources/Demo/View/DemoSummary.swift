import Console
import Telemetry

/// What the demonstration has shown, told at its end: one trace, the queue times, and each threshold with its reason.
struct DemoSummary {
    let watch: SidecarWatch
    let shop: Shop
    let style: TerminalStyle

    private static let tracesMax = 200
    /// A trace that fits a screen.
    private static let spansMax = 16
    private static let candidatesMax = 50
    private static let historyMax = 2_000

    /// The longest part first: what is read most stands last, above the prompt.
    func text() async -> String {
        let history = await watch.history(limit: Self.historyMax)
        var parts = [section("Thresholds that tuned themselves", await thresholds(history))]
        parts.append(section("What breakers did", breakers(await watch.breakers(), history)))
        parts.append(section("How long messages waited", queueTimes(await watch.queueTimes())))
        if let trace = await trace() { parts.append(section("One message's way", Waterfall(trace, style).text)) }
        parts.append(section("What happened", accounts))
        return parts.joined(separator: "\n\n")
    }

    private func section(_ title: String, _ text: String) -> String { style.paint(title, .heading) + "\n" + text }

    private var accounts: String {
        let counts = shop.counts
        return """
              \(counts.placed) orders placed, \(counts.paid) paid, \(counts.shipped) shipped, \
            \(counts.deadLettered) dead letters
              \(counts.crashes) consumers died, \(counts.redelivered) deliveries were not the first
              \(counts.failed) publishes failed, \(counts.refused) were refused by breakers
            """
    }

    private func queueTimes(_ times: [QueueTime]) -> String {
        guard !times.isEmpty else { return "  nothing was delivered" }
        return times.map { time in
            "  \(time.destination) to \(time.group): \(QuantityText.duration(seconds: time.meanSeconds)) on average, half below "
                + "\(DemoFrame.bound(time.medianBoundSeconds)), 99 % below \(DemoFrame.bound(time.p99BoundSeconds)) "
                + "(\(time.messages) deliveries)"
        }.joined(separator: "\n")
    }

    /// A trace that goes through the whole chain, rather one with something to tell.
    private func trace() async -> TraceView? {
        let found = await watch.traces(destination: shop.queues.shipments, limit: Self.tracesMax)
        let fitting = found.filter { $0.spans <= Self.spansMax && $0.error == nil }.sorted { $0.spans > $1.spans }
        for candidate in fitting.prefix(Self.candidatesMax) {
            if let trace = await watch.trace(candidate.traceID), isWhole(trace) { return trace }
        }
        return nil
    }

    /// One root, every other parent there, and settled to the end.
    private func isWhole(_ trace: TraceView) -> Bool {
        let known = Set(trace.spans.map(\.spanID))
        let roots = trace.spans.filter { $0.parentSpanID.map { !known.contains($0) } ?? true }
        return roots.count == 1 && roots[0].name.hasSuffix(" \(shop.queues.orders.name)")
            && trace.spans.contains { $0.name == "process \(shop.queues.payments.name)" }
    }

    private func breakers(_ breakers: [BreakerView], _ history: [GuardRecordView]) -> String {
        let acted = breakers.filter { $0.opened > 0 }
        guard !acted.isEmpty else { return "  none has opened" }
        return acted.map { breaker in
            let closings = history.filter {
                $0.what == "state" && $0.new == "closed" && $0.key == breaker.key && $0.listener == breaker.listener
            }
            let took = closings.compactMap { $0.evidence["trip_to_close_seconds"] }
            let back = took.max().map { ", back after at most \(QuantityText.duration(seconds: $0))" } ?? ""
            return "  '\(breaker.key)' of \(breaker.listener): opened \(times(breaker.opened)), refused "
                + "\(breaker.rejected) calls\(back)"
        }.joined(separator: "\n")
    }

    private func times(_ number: UInt64) -> String { number == 1 ? "once" : "\(number) times" }

    private func thresholds(_ history: [GuardRecordView]) async -> String {
        let changes = history.reversed().filter { $0.what == "threshold" && $0.old != $0.new && !$0.isShadow }
        var order: [[String]] = []
        var byThreshold: [[String]: [GuardRecordView]] = [:]
        for change in changes {
            let key = [change.listener, change.key, change.parameter ?? ""]
            if byThreshold[key] == nil { order.append(key) }
            byThreshold[key, default: []].append(change)
        }
        guard !order.isEmpty else { return "  none yet: breakers learn from more calls than these" }
        var lines: [String] = []
        var explanation: ThresholdExplanationView?
        // A breaker's thresholds together, in the order in which breakers were first tuned.
        let breakers = order.map { Array($0.prefix(2)) }.reduce(into: [[String]]()) {
            if !$0.contains($1) { $0.append($1) }
        }
        for breaker in breakers {
            explanation = await watch.explanation(key: breaker[1], listener: breaker[0])
            lines.append("  '\(breaker[1])' of \(breaker[0])")
            for key in order where Array(key.prefix(2)) == breaker {
                guard let changes = byThreshold[key], let first = changes.first, let last = changes.last else {
                    continue
                }
                let sentences = explanation?.parameters.first { $0.parameter == key[2] }?.sentences ?? []
                let steps = changes.count == 1 ? "1 step" : "\(changes.count) steps"
                let change = TerminalText.padded("\(first.old) -> \(last.new), \(steps)", 26)
                lines.append(
                    "    \(TerminalText.padded(key[2], 18)) \(change) " + style.paint(reason(sentences), .faint))
            }
        }
        return lines.joined(separator: "\n")
    }

    /// The sentence that gives the formula with its numbers: behind what the parameter means, and behind what is only
    /// learned so far.
    private func reason(_ sentences: [String]) -> String {
        sentences.dropFirst().first { !$0.hasPrefix("The learned value") } ?? ""
    }
}
