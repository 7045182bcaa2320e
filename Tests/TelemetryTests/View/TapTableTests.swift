import Testing

@testable import Telemetry

@Suite("The live view, byte for byte")
struct TapTableTests {
    let world = WatchWorld()

    private func lines(_ events: [TapEvent], _ style: TerminalStyle = .plain) -> String {
        let text = TapText(names: world.names, catalog: world.catalog, listeners: ["main"])
        return events.map { TapTable(style).line(text.message($0)) }.joined(separator: "\n")
    }

    private func settled(_ change: (inout TapEvent) -> Void) -> TapEvent {
        var event = TapEvent(
            .settled, unixNanoseconds: WatchWorld.start + 76_000_000, listener: 0,
            descriptor: world.descriptor("process", .process, "orders", group: "billing"),
            traceID: TraceID(high: 1, low: 2), isSampled: true)
        event.consumer = world.names.intern("worker-1")
        event.messageID = .streamEntry(milliseconds: 1_767_323_045_123, sequence: 0)
        event.bodySize = 2_048
        event.queueNanoseconds = 1_700_000
        event.durationNanoseconds = 75_000_000
        event.attempt = 1
        change(&event)
        return event
    }

    private var published: TapEvent {
        var event = world.event()
        event.client = world.names.intern("web\u{1B}[2J")
        event.messageID = .streamEntry(milliseconds: 1_767_323_045_123, sequence: 0)
        event.bodySize = 512
        event.durationNanoseconds = 312_000
        return event
    }

    @Test func columns() {
        let events = [
            published,
            settled { $0.outcome = .acknowledged },
            settled {
                $0.outcome = .redelivered
                $0.attempt = 3
            },
            settled {
                $0.error = world.names.intern("NOGROUP")
                $0.queueNanoseconds = -4
                $0.messageID = .none
                $0.bodySize = -1
            },
            world.event(.pushed, "a very long name of a destination", template: ""),
        ]
        #expect(
            TapTable(.plain).header + "\n" + lines(events) == """
                TIME          STAGE      DESTINATION           WHO                     MESSAGE                SIZE     QUEUE      TOOK  OUTCOME         TRACE
                03:04:05.123  published  orders                web?[2J                 1767323045123-0       512 B         -    312 us  ok              (00000000000000000000000000000abc)
                03:04:05.199  settled    orders                billing/worker-1        1767323045123-0    2.00 KiB   1.70 ms   75.0 ms  ok              00000000000000010000000000000002
                03:04:05.199  settled    orders                billing/worker-1        1767323045123-0    2.00 KiB   1.70 ms   75.0 ms  redelivered #3  00000000000000010000000000000002
                03:04:05.199  settled    orders                billing/worker-1        -                         -      0 ns   75.0 ms  NOGROUP         00000000000000010000000000000002
                03:04:05.123  pushed     a very long name of…  -                       -                         -         -         -  ok              (00000000000000000000000000000abc)
                """)
    }

    @Test func colours() {
        let events = [
            published, settled { $0.outcome = .redelivered }, settled { $0.error = world.names.intern("OOM") },
        ]
        #expect(
            lines(events, .coloured).split(separator: "\n").map { String($0.prefix(10)) } == [
                "03:04:05.1", "\u{1B}[33m03:04", "\u{1B}[31m03:04",
            ])
    }

    @Test func losses() {
        let table = TapTable(.plain)
        #expect(table.line(TapLoss(skipped: 12)) == "... 12 more than the rate limit lets through")
        #expect(
            table.line(TapLoss(skipped: 1, dropped: 2))
                == "... 1 more than the rate limit lets through, 2 more than could be sent here")
    }

    @Test func theListOfTraces() {
        var failed = world.record(trace: 2, span: 21, at: 1_000_000, took: 2_500_000)
        failed.error = world.names.intern("WRONGTYPE")
        let views = [[failed], [world.record(trace: 1, span: 11)]].map {
            TraceView($0[0].traceID, of: $0, world.names, world.catalog)
        }
        #expect(
            TraceList(traces: views.map(TraceSummary.init)).text(.plain) == """
                TRACE                             START                            TOOK  SPANS  SERVICE           ROOT
                00000000000000000000000000000002  2026-01-02T03:04:05.124456Z   2.50 ms      1  shop              xadd orders  error WRONGTYPE
                00000000000000000000000000000001  2026-01-02T03:04:05.123456Z   1.00 us      1  shop              xadd orders
                """)
    }
}
