import Telemetry
import Testing

@testable import Demo

@Suite("What the demonstration shows")
struct ViewTests {
    @Test("queue times are read from the sidecar's metrics")
    func queueTimes() {
        let labels =
            #"messaging_system="redis",messaging_destination_name="orders",messaging_consumer_group_name="payments""#
        let lines = [
            "# TYPE tacho_queue_seconds histogram",
            #"tacho_queue_seconds_bucket{\#(labels),le="0.001"} 60"#,
            #"tacho_queue_seconds_bucket{\#(labels),le="0.01"} 98"#,
            #"tacho_queue_seconds_bucket{\#(labels),le="+Inf"} 100"#,
            "tacho_queue_seconds_sum{\(labels)} 4.5", "tacho_queue_seconds_count{\(labels)} 100",
        ]
        #expect(
            QueueTime.reading(metrics: lines) == [
                QueueTime(
                    destination: "orders", group: "payments", messages: 100, meanSeconds: 0.045,
                    medianBoundSeconds: 0.001, p99BoundSeconds: nil)
            ])
        #expect(QueueTime.reading(metrics: []).isEmpty)
    }

    @Test("a frame fits the width of the terminal and names what is wrong")
    func frame() {
        var board = DemoBoard.Snapshot()
        board.queueTimes = [
            QueueTime(
                destination: "orders", group: "payments", messages: 7, meanSeconds: 0.0012, medianBoundSeconds: 0.001,
                p99BoundSeconds: nil)
        ]
        var counts = Shop.Counts()
        (counts.placed, counts.shipped) = (8, 6)
        let frame = DemoFrame(
            heading: ["demo"], seconds: 65, counts: counts, board: board, fault: .latency,
            story: [.init(time: "12:00:00", text: String(repeating: "x", count: 100), role: nil)], style: .plain,
            width: 60)
        let lines = frame.lines
        #expect(lines.allSatisfy { $0.count <= 60 })
        #expect(lines.contains("1:05      8 orders (0/s), 6 shipped"))
        #expect(lines.contains { $0.hasPrefix("orders") && $0.contains("1.20 ms") })
        #expect(lines.contains("now       the broker answers 400 ms late"))
        #expect(lines.last?.hasSuffix("…") == true)
    }
}
