import Pipeline
import Resilience

/// A world whose guards do what the test tells them.
final class GuardedWorld {
    let guards: GuardTable
    let world: World

    init(
        frameBytesMax: Int = 1 << 20, pendingRepliesMax: Int = 1 << 20, inject: InjectionRule = .never,
        bulkhead: BulkheadPolicy? = nil, retries: PublishRetryLimits? = nil
    ) {
        guards = GuardTable(capacity: 100, callTimeoutNanoseconds: 5_000_000_000, bulkhead: bulkhead)
        world = World(
            inject: inject, frameBytesMax: frameBytesMax, pendingRepliesMax: pendingRepliesMax, guards: guards,
            retries: retries)
    }

    func connect() -> Conversation<RedisSession> { world.connect() }

    func admitConnection() -> ConnectionAdmittance {
        world.lane.admitConnection(world.lane.listeners[0], at: world.now)
    }

    func cell(_ name: String) -> GuardCell {
        let words = name.split(separator: " ")
        let operation = GuardedOperation(rawValue: String(words.last ?? ""))!
        let place = words.count > 1 ? words[0].split(separator: "/").map(String.init) : []
        return guards.cell(
            for: GuardKey(
                listener: 0, listenerName: "redis", operation: operation, destination: place.first ?? "",
                group: place.count > 1 ? place[1] : ""))
    }

    func set(_ name: String, _ admission: Admission, slowMilliseconds: UInt64 = 5_000) {
        cell(name).publish(admission, slowCallNanoseconds: slowMilliseconds * 1_000_000)
    }

    func limit(_ name: String, to most: Int?) {
        cell(name).publish(.all, slowCallNanoseconds: 5_000_000_000, limit: most)
    }

    /// Opens a guard for so long from now on.
    func open(_ name: String, milliseconds: UInt64 = 1_400) {
        set(name, .none(retryAtNanoseconds: world.now.monotonicNanoseconds + milliseconds * 1_000_000))
    }

    /// What the calls to a guard came to since the last look, in words: only what is not zero.
    func tally(_ name: String) -> String {
        let tally = cell(name).collect()
        var words: [String] = []
        func say(_ count: some BinaryInteger, _ word: String) { if count > 0 { words.append("\(count) \(word)") } }
        say(tally.calls, "calls")
        for failure in FailureClass.allCases { say(tally.failures[failure], "\(failure)") }
        say(tally.slow, "slow")
        say(tally.clientMistakes, "mistakes")
        say(tally.rejectedByUs, "rejected")
        say(tally.probesBegun, "probes begun")
        say(tally.probeSuccesses, "probes")
        say(tally.probeFailures, "failed probes")
        say(tally.inFlightPeak, "in flight")
        say(tally.overdue, "overdue")
        return words.joined(separator: ", ")
    }
}

/// The refusal that a client reads.
func refused(_ name: String, _ seconds: String = "1.5") -> String {
    "-TACHO breaker '\(name)' is open, try again in \(seconds) s\r\n"
}
