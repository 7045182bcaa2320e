import Testing

@testable import Telemetry

@Suite("The waterfall, byte for byte")
struct WaterfallTests {
    let world = WatchWorld()
    static let message = MessageID.streamEntry(milliseconds: 1_767_323_045_123, sequence: 0)

    private func drawn(_ records: [SpanRecord], _ style: TerminalStyle = .plain) -> String {
        let id = records.first?.traceID ?? .none
        return Waterfall(TraceView(id, of: records, world.names, world.catalog), style).text
    }

    private func process(
        _ span: UInt64, under parent: UInt64, at offset: UInt64, took: UInt64, service: String = "shop",
        _ describe: (inout SpanRecord) -> Void = { _ in }
    ) -> SpanRecord {
        var record = world.record(
            trace: 1, span: span, parent: parent, at: offset, took: took, kind: .consumer,
            world.descriptor("process", .process, "orders", group: "billing", service: service))
        record.messageID = Self.message
        record.consumer = world.names.intern("worker-1")
        record.queueNanoseconds = 1_700_000
        record.attempt = 1
        if parent != 0 { record.link = WatchWorld.link(1, parent) }
        describe(&record)
        return record
    }

    private func send(took: UInt64 = 300_000) -> SpanRecord {
        var record = world.record(trace: 1, span: 0xa1, took: took)
        record.messageID = Self.message
        return record
    }

    @Test func theLifeOfAMessage() {
        var receive = world.record(
            trace: 1, span: 0xa2, parent: 0xa1, at: 2_000_000, took: 100_000, kind: .client,
            world.descriptor("xreadgroup", .receive, "orders", group: "billing"))
        receive.queueNanoseconds = 1_700_000
        receive.link = WatchWorld.link(1, 0xa1)
        var settle = world.record(
            trace: 1, span: 0xa4, parent: 0xa3, at: 77_000_000, took: 200_000, kind: .client,
            world.descriptor("xack", .settle, "orders", group: "billing"))
        settle.link = WatchWorld.link(1, 0xa1)
        #expect(
            drawn([settle, process(0xa3, under: 0xa1, at: 2_100_000, took: 75_000_000), receive, send()]) == """
                trace 00000000000000000000000000000001
                2026-01-02T03:04:05.123456Z, 77.2 ms, 4 spans, service shop

                xadd orders           producer  │━                                       │   300 us  id 1767323045123-0
                ├─ xreadgroup orders  client    │ ━                                      │   100 us  queue 1.70 ms
                └─ process orders     consumer  │ ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━│  75.0 ms  attempt 1, queue 1.70 ms, consumer worker-1
                   └─ xack orders     client    │                                       ━│   200 us
                """)
    }

    @Test func attemptsErrorsAndServices() {
        let records = [
            send(took: 400),
            process(0xb1, under: 0xa1, at: 1_000, took: 500, service: "billing") { $0.outcome = .redelivered },
            process(0xb2, under: 0xa1, at: 1_500, took: 500, service: "billing") {
                $0.attempt = 2
                $0.error = world.names.intern("TIMEOUT")
            },
        ]
        #expect(
            drawn(records) == """
                trace 00000000000000000000000000000001
                2026-01-02T03:04:05.123456Z, 2.00 us, 3 spans

                shop: xadd orders           producer  │━━━━━━━━                                │   400 ns  id 1767323045123-0
                ├─ billing: process orders  consumer  │                    ━━━━━━━━━━          │   500 ns  redelivered, attempt 1, queue 1.70 ms, consumer worker-1
                └─ billing: process orders  consumer  │                              ━━━━━━━━━━│   500 ns  error TIMEOUT, attempt 2, queue 1.70 ms, consumer worker-1
                """)
        #expect(
            drawn([records[0], records[1]], .coloured) == """
                \u{1B}[1mtrace 00000000000000000000000000000001\u{1B}[0m
                2026-01-02T03:04:05.123456Z, 1.50 us, 2 spans

                shop: xadd orders           producer  │\u{1B}[32m━━━━━━━━━━━                             \u{1B}[0m│   400 ns  id 1767323045123-0
                \u{1B}[33m└─ billing: process orders\u{1B}[0m  consumer  │\u{1B}[33m                          ━━━━━━━━━━━━━━\u{1B}[0m│   500 ns  \u{1B}[33mredelivered, attempt 1, queue 1.70 ms, consumer worker-1\u{1B}[0m
                """)
    }

    @Test func noSpanIsLostFromTheTree() {
        let records = [
            // The application's own span is the parent.
            process(0xc1, under: 0xee, at: 0, took: 1_000) { $0.consumer = .none },
            // No parent, but a link within the trace.
            process(0xc2, under: 0, at: 100, took: 100) { $0.link = WatchWorld.link(1, 0xc1) },
            // Parents in a circle.
            process(0xc3, under: 0xc4, at: 200, took: 100),
            process(0xc4, under: 0xc3, at: 300, took: 100),
            // The same id twice.
            process(0xc2, under: 0, at: 400, took: 100),
        ]
        #expect(
            drawn(records) == """
                trace 00000000000000000000000000000001
                2026-01-02T03:04:05.123456Z, 1.00 us, 5 spans, service shop

                process orders     consumer  │━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━│  1.00 us  attempt 1, queue 1.70 ms, id 1767323045123-0, parent 00000000000000ee is not here
                └─ process orders  consumer  │    ━━━━                                │   100 ns  attempt 1, queue 1.70 ms, consumer worker-1, by link
                process orders     consumer  │                ━━━━                    │   100 ns  attempt 1, queue 1.70 ms, consumer worker-1, id 1767323045123-0
                process orders     consumer  │        ━━━━                            │   100 ns  attempt 1, queue 1.70 ms, consumer worker-1
                └─ process orders  consumer  │            ━━━━                        │   100 ns  attempt 1, queue 1.70 ms, consumer worker-1
                """)
    }

    @Test func linksToOtherTracesStandBelow() {
        var receive = world.record(
            trace: 1, span: 0xd1, took: 1_000, kind: .client,
            world.descriptor("xreadgroup", .receive, "orders", group: "billing"))
        receive.batchCount = 7
        receive.link = SpanLink(
            context: WatchWorld.link(2, 0xf1).context, messageID: Self.message, queueNanoseconds: -3)
        receive.detail = SpanDetail(moreLinks: (3...8).map { WatchWorld.link($0, 0xf0 + $0) }, droppedLinkCount: 2)
        #expect(
            drawn([receive, process(0xd2, under: 0xd1, at: 10, took: 20)]) == """
                trace 00000000000000000000000000000001
                2026-01-02T03:04:05.123456Z, 1.00 us, 2 spans, service shop

                xreadgroup orders  client    │━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━│  1.00 us  7 messages
                │  ~ linked to trace 00000000000000000000000000000002 span 00000000000000f1, id 1767323045123-0, queue 0 ns
                │  ~ linked to trace 00000000000000000000000000000003 span 00000000000000f3
                │  ~ linked to trace 00000000000000000000000000000004 span 00000000000000f4
                │  ~ linked to trace 00000000000000000000000000000005 span 00000000000000f5
                │  ~ linked to trace 00000000000000000000000000000006 span 00000000000000f6
                │  ~ linked to 4 more
                └─ process orders  consumer  │━━                                      │    20 ns  attempt 1, queue 1.70 ms, consumer worker-1, id 1767323045123-0
                """)
    }

    @Test func inferredEdgesAreMarked() {
        var next = world.record(
            trace: 1, span: 0xf2, parent: 0xa1, at: 1_000, took: 1_000, world.descriptor("xadd", .send, "payments"))
        next.causality = .connectionCertain
        var candidate = WatchWorld.link(2, 0xf1)
        candidate.isCandidate = true
        next.link = candidate
        #expect(
            drawn([send(took: 500), next]) == """
                trace 00000000000000000000000000000001
                2026-01-02T03:04:05.123456Z, 2.00 us, 2 spans, service shop

                xadd orders       producer  │━━━━━━━━━━                              │   500 ns  id 1767323045123-0
                └─ xadd payments  producer  │                    ━━━━━━━━━━━━━━━━━━━━│  1.00 us  parent inferred (connection, certain)
                      ~ possible cause: trace 00000000000000000000000000000002 span 00000000000000f1
                """)
    }

    @Test func namesFromTheWireDoNotSteerTheTerminal() {
        let hostile = world.record(
            trace: 1, span: 0xe1,
            world.descriptor("xadd", .send, "a\u{1B}[31m\n\u{202E}" + String(repeating: "x", count: 60)))
        let row = drawn([hostile]).split(separator: "\n").last
        let name = "xadd a?[31m??" + String(repeating: "x", count: 34) + "…"
        #expect(row?.hasPrefix(name + "  producer  │") == true)
    }

    /// A chain is drawn without recursion, and no deeper than the screen is wide.
    @Test func aLongChain() {
        let chain = (1...20_000).map { world.record(trace: 1, span: $0, parent: $0 - 1, at: $0) }
        let lines = drawn(chain).split(separator: "\n")
        #expect(lines.count == 20_002)
        #expect(lines.allSatisfy { $0.count < 200 })
    }

    @Test(arguments: [
        (0, "0 ns"), (999, "999 ns"), (1_000, "1.00 us"), (1_234, "1.23 us"), (12_345, "12.3 us"), (312_400, "312 us"),
        (999_499, "999 us"), (999_500, "1.00 ms"), (75_000_000, "75.0 ms"), (2_000_000_000, "2.00 s"),
        (3_600_000_000_000, "3600 s"),
    ])
    func durations(_ nanoseconds: UInt64, _ text: String) {
        #expect(QuantityText.duration(nanoseconds: nanoseconds) == text)
    }

    @Test(arguments: [
        (0, "0 B"), (1_023, "1023 B"), (1_024, "1.00 KiB"), (1_048_576, "1.00 MiB"), (15_728_640, "15.0 MiB"),
    ])
    func sizes(_ bytes: Int64, _ text: String) {
        #expect(QuantityText.size(bytes: bytes) == text)
    }
}
