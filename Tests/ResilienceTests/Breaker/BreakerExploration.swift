@testable import Resilience

/// The search, and what must hold on each edge.
struct Exploration {
    typealias Node = BreakerModelCheck.Node
    typealias Input = BreakerModelCheck.Input

    private(set) var problems: [String] = []
    private(set) var moves: Set<String> = []
    private var seen: [BreakerModelCheck.Key: Int] = [:]
    private var queue: [Node]
    private let mode: BreakerMode

    init(mode: BreakerMode) {
        self.mode = mode
        queue = [Node(machine: BreakerMachine(mode: mode, parameters: BreakerModelCheck.parameters(4)))]
    }

    var abstractStates: Int { seen.count }

    mutating func run(representatives: Int, nodesMax: Int) {
        var head = 0
        while head < queue.count, head < nodesMax {
            let node = queue[head]
            head += 1
            for input in Input.allCases {
                var next = node
                let transition = next.take(input)
                check(from: node, to: next, input, transition)
                guard seen[next.key, default: 0] < representatives else { continue }
                seen[next.key, default: 0] += 1
                queue.append(next)
            }
            if head.isMultiple(of: 7) { checkRecovery(node) }
        }
        if head < queue.count { problems.append("\(queue.count - head) states were not looked at") }
    }

    private mutating func fail(_ text: String, _ node: Node, _ input: Input?) {
        problems.append("\(text): \(input.map { "\($0)" } ?? "-") in \(node.key)")
    }

    private mutating func check(from: Node, to: Node, _ input: Input, _ transition: BreakerTransition?) {
        let (before, after) = (from.machine, to.machine)
        if (transition != nil) != (before.state != after.state) { fail("state and transition differ", from, input) }
        if let transition {
            moves.insert("\(transition.from.text)>\(transition.to.text) \(transition.reason.rawValue)")
            if !Self.isLegal(transition, from, to) { fail("illegal \(transition)", from, input) }
            if max(transition.failures, transition.slow) > transition.calls { fail("counts", from, input) }
        }
        if after.isDegraded, after.state != .closed { fail("degraded, but not closed", from, input) }
        if after.isHealthy, after.state != .closed || after.override != nil { fail("healthy", from, input) }
        if !Self.isConsistent(to, mode) { fail("admission \(after.admission)", from, input) }
        if mode != .shadow, after.wouldHaveRejected != 0 { fail("would have rejected", from, input) }
    }

    private static func isLegal(_ transition: BreakerTransition, _ from: Node, _ to: Node) -> Bool {
        guard from.machine.state == transition.from, to.machine.state == transition.to else { return false }
        if transition.reason == .operator { return to.machine.state != .halfOpen }
        guard from.machine.override == nil, from.machine.mode != .off else { return false }
        switch (transition.from, transition.to, transition.reason) {
        case (.closed, .open, .burst), (.closed, .open, .failureRate), (.closed, .open, .slowCallRate),
            (.closed, .open, .consecutive):
            return transition.failures + transition.slow > 0
        case (.open, .halfOpen, .openTimeOver):
            if case .none(let retryAt) = from.machine.admission { return to.now >= retryAt }
            return from.machine.mode == .shadow
        case (.halfOpen, .open, .probesFailed):
            return transition.failures > 0
        case (.halfOpen, .closed, .probesSucceeded):
            return transition.calls >= 3 && transition.failures * 4 <= transition.calls
                && transition.tripToCloseSeconds != nil
        default:
            return false
        }
    }

    private static func isConsistent(_ node: Node, _ mode: BreakerMode) -> Bool {
        let machine = node.machine
        switch (machine.admission, machine.override) {
        case (.none(let retryAt), .forcedOpen): return retryAt > 0
        case (_, .forcedOpen): return false
        case (.all, .forcedClosed), (.all, .disabled): return machine.state == .closed
        case (_, .forcedClosed), (_, .disabled): return false
        case (.all, nil): return mode == .shadow || mode == .off || machine.state == .closed
        case (.none(let retryAt), nil):
            // The clock of a beat may stand or go back; the open time never exceeds its greatest value and its jitter.
            return machine.state == .open && retryAt <= node.now &+ 72_000_000_000
        case (.probes(let most), nil):
            return machine.state == .halfOpen && (0...1 << 20).contains(most)
                && (mode != .fixed || most <= machine.parameters.halfOpenProbes)
        case (.share(let share), nil): return machine.state == .closed && (0.1..<1).contains(share)
        }
    }

    /// Clients that obey, and a destination that is well: all calls must be admitted again before long, and then nothing
    /// may open.
    private mutating func checkRecovery(_ node: Node) {
        var later = node
        if later.machine.override != nil { _ = later.take(.release) }
        for _ in 0..<2_000 {
            _ = later.goodBeat()
            if later.machine.isHealthy, later.machine.admission == .all, !later.machine.isDegraded { return }
        }
        fail("not well after 200 s without a failure: \(later.key)", node, nil)
    }
}
