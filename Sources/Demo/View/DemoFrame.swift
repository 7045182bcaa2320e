import Telemetry

/// One picture of the live view, as lines that fit a terminal.
struct DemoFrame {
    var heading: [String]
    var seconds: Int
    var counts: Shop.Counts
    var board: DemoBoard.Snapshot
    var fault: BrokerFault?
    var story: [DemoStory.Line]
    var style: TerminalStyle
    var width: Int

    var lines: [String] {
        var lines = heading.enumerated().map { number, line in paint(line, number == 0 ? .heading : nil) }
        lines += ["", paint(clock + orders, nil), ""]
        lines += queues + [""] + breakers + [""]
        lines.append(fault.map { paint("now       \($0.text)", .bad) } ?? paint("now       the broker is well", .good))
        lines.append("")
        lines += story.map { paint("\($0.time)  \($0.text)", $0.role) }
        return lines
    }

    private var clock: String { "\(seconds / 60):\(seconds % 60 < 10 ? "0" : "")\(seconds % 60)" }

    private var orders: String {
        var parts = [
            "\(counts.placed) orders (\(Int(board.ordersPerSecond.rounded()))/s)", "\(counts.shipped) shipped",
        ]
        if counts.redelivered > 0 { parts.append("\(counts.redelivered) deliveries again") }
        if counts.deadLettered > 0 { parts.append("\(counts.deadLettered) dead letters") }
        if counts.failed > 0 { parts.append("\(counts.failed) failed") }
        if counts.refused > 0 { parts.append("\(counts.refused) refused by breakers") }
        return "      " + parts.joined(separator: ", ")
    }

    private var queues: [String] {
        let rows = board.queueTimes.map { time in
            [
                time.destination, "\(time.messages)", QuantityText.duration(seconds: time.meanSeconds),
                Self.bound(time.medianBoundSeconds), Self.bound(time.p99BoundSeconds),
            ]
        }
        let title = paint(row(["QUEUE", "DELIVERED", "WAIT, MEAN", "HALF BELOW", "99 % BELOW"]), .heading)
        return [title] + (rows.isEmpty ? [paint("nothing delivered yet", .faint)] : rows.map { paint(row($0), nil) })
    }

    private var breakers: [String] {
        let shown = board.breakers.filter { $0.operation == "publish" || $0.state != "closed" || $0.opened > 0 }.prefix(
            8)
        let rows = shown.map { breaker in
            let cells = [
                breaker.operation == "upstream" ? "upstream of \(breaker.listener)" : breaker.key, breaker.state,
                breaker.mode, "\(breaker.rejected)", "\(breaker.opened)",
            ]
            return paint(row(cells), breaker.state == "closed" ? nil : breaker.state == "open" ? .bad : .warning)
        }
        let title = paint(row(["BREAKER", "STATE", "MODE", "REFUSED", "OPENED"]), .heading)
        return [title] + (rows.isEmpty ? [paint("no calls yet", .faint)] : rows)
    }

    private func row(_ cells: [String]) -> String {
        let first = TerminalText.padded(TerminalText.clipped(cells[0], 32), 32)
        return first + cells.dropFirst().map { TerminalText.rightAligned($0, 12) }.joined()
    }

    private func paint(_ text: String, _ role: TerminalStyle.Role?) -> String {
        style.paint(TerminalText.clipped(text, width), role)
    }

    static func bound(_ seconds: Double?) -> String {
        seconds.map { QuantityText.duration(seconds: $0) } ?? "more"
    }
}
