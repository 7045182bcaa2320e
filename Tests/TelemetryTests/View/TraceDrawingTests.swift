import Testing

@testable import Telemetry

@Suite("A trace as a picture and as a page")
struct TraceDrawingTests {
    let world = WatchWorld()

    private func view(_ records: [SpanRecord]) -> TraceView {
        TraceView(records.first?.traceID ?? .none, of: records, world.names, world.catalog)
    }

    private func process(_ span: UInt64, under parent: UInt64, at offset: UInt64, took: UInt64) -> SpanRecord {
        var record = world.record(
            trace: 1, span: span, parent: parent, at: offset, took: took, kind: .consumer,
            world.descriptor("process", .process, "orders", group: "billing", service: "billing"))
        record.queueNanoseconds = Int64(offset)
        return record
    }

    /// The elements of one class, in order.
    private func elements(_ kind: String, in svg: String) -> [String] {
        svg.split(separator: "\n").filter { $0.contains("class=\"\(kind)\"") }.map(String.init)
    }

    @Test func barsStandWhereTheirTimeIs() {
        let svg = TraceDrawing(
            view([world.record(trace: 1, span: 1, took: 400), process(2, under: 1, at: 500, took: 500)])
        )
        .svg
        // The axis runs from 364 to 1100: 736 pixels for 1000 ns.
        #expect(
            elements("s0", in: svg).dropFirst() == [
                "<rect class=\"s0\" x=\"364\" y=\"98\" width=\"294.4\" height=\"14\" rx=\"2\"/>"
            ])
        #expect(
            elements("s1", in: svg).dropFirst() == [
                "<rect class=\"s1\" x=\"732\" y=\"140\" width=\"368\" height=\"14\" rx=\"2\"/>"
            ])
        #expect(
            elements("dwell", in: svg) == [
                "<rect class=\"dwell\" x=\"364\" y=\"144\" width=\"368\" height=\"6\" rx=\"2\"/>"
            ])
        #expect(elements("name", in: svg).map { $0.contains("process orders") } == [false, true])
        #expect(elements("took", in: svg).count == 2)
    }

    @Test func theBusDrawsItsOwnWait() {
        var bus = world.record(
            trace: 1, span: 3, parent: 1, at: 0, took: 500,
            world.catalog.intern(
                SpanDescriptor(
                    service: "redis:orders", system: "redis", operation: "queue", operationType: nil,
                    destination: "orders", template: "", group: "",
                    broker: BrokerAddress(server: "127.0.0.1", port: 6379))))
        bus.kind = .producer
        let records = [world.record(trace: 1, span: 1, took: 400), bus, process(2, under: 3, at: 500, took: 500)]
        let svg = TraceDrawing(view(records)).svg
        #expect(elements("dwell", in: svg).isEmpty)
        #expect(elements("hatch", in: svg).count == 1)
    }

    @Test func edgesTellHowTheyWereFound() {
        var inferred = world.record(trace: 1, span: 2, parent: 1, at: 10)
        inferred.causality = .connectionCertain
        var linked = world.record(trace: 1, span: 3, at: 20)
        linked.link = WatchWorld.link(1, 1)
        let svg = TraceDrawing(
            view([
                world.record(trace: 1, span: 1), inferred, linked, world.record(trace: 1, span: 4, parent: 1, at: 30),
            ])
        ).svg
        #expect(elements("edge dashed", in: svg).count == 1)
        #expect(elements("edge dotted", in: svg).count == 1)
        #expect(elements("edge", in: svg).count == 1)
    }

    @Test func errorsAreRed() {
        var failed = world.record(trace: 1, span: 1)
        failed.error = world.names.intern("OOM")
        let svg = TraceDrawing(view([failed])).svg
        #expect(elements("fault", in: svg).count == 1)
        #expect(elements("note bad", in: svg).first?.contains("error OOM") == true)
    }

    @Test func textFromTheWireStaysText() {
        let hostile = world.record(trace: 1, span: 1, world.descriptor("xadd", .send, "<script>\"&'\u{1B}\u{202E}"))
        for text in [TraceDrawing(view([hostile])).svg, TracePage(view([hostile])).html] {
            #expect(text.contains("xadd &lt;script&gt;&quot;&amp;&#39;??"))
            #expect(!text.contains("<script"))
        }
    }

    @Test func aHugeTraceIsCutAndSaysSo() {
        let chain = (1...20_000).map { world.record(trace: 1, span: $0, parent: $0 - 1, at: $0) }
        let svg = TraceDrawing(view(chain)).svg
        #expect(svg.contains("19500 more spans are not drawn"))
        #expect(elements("name", in: svg).count == 500)
        #expect(TracePage(view(chain)).html.contains("19500 more spans are not listed"))
    }

    @Test func aTraceWithoutLengthOrSpans() {
        #expect(elements("s0", in: TraceDrawing(view([world.record(trace: 1, span: 1, took: 0)])).svg).count == 2)
        #expect(TraceDrawing(view([])).svg.contains("0 spans"))
    }

    static let ticks: [(duration: UInt64, ticks: [UInt64])] = [
        (1_000, [0, 200, 400, 600, 800, 1_000]), (77, [0, 10, 20, 30, 40, 50, 60, 70]), (7, [0, 1, 2, 3, 4, 5, 6, 7]),
        (0, [0]),
        (.max, (0...9).map { $0 * 2_000_000_000_000_000_000 }),
    ]

    @Test(arguments: ticks)
    func ticksAreRound(_ duration: UInt64, _ ticks: [UInt64]) {
        #expect(TimeAxis(durationNanoseconds: duration, origin: 0, width: 100).ticks == ticks)
    }

    @Test func theListLinksToThePages() {
        let trace = view([world.record(trace: 1, span: 1)])
        let page = TraceListPage(TraceList(traces: [TraceSummary(trace)])).html
        #expect(page.contains("<a href=\"/traces/\(trace.traceID)\">xadd orders</a>"))
        #expect(TraceListPage(TraceList(traces: [])).html.contains("No trace yet"))
    }
}
