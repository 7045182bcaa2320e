import NIOCore
import Pipeline
import Resilience
import Telemetry

// What guards cost a message: the same traffic through a session, with and without. `scripts/bench guards` counts the
// instructions of two runs of different length under callgrind, so that start and end cancel out; run alone, the program
// tells the time. Published messages carry no context and no trace is kept: what remains is the least a message costs.

/// Takes spans and forgets them.
struct Discard: SpanSink {
    func offer(_ batch: inout [SpanRecord]) { batch.removeAll(keepingCapacity: true) }
}

let messagesPerRead = 100

func bulk(_ words: [String]) -> String {
    "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
}

func repeated(_ text: String) -> ByteBuffer { ByteBuffer(string: String(repeating: text, count: messagesPerRead)) }

func run(isGuarded: Bool, reads: Int) -> Duration {
    let listener = ListenerProfile(
        number: 0, name: "redis", service: "shop", system: "redis", broker: BrokerAddress(server: "bus", port: 6379),
        inject: .never)
    let guards = isGuarded ? GuardTable(capacity: 100, callTimeoutNanoseconds: 5_000_000_000) : nil
    let shared = Lane.SharedState(
        destinations: NameTable(capacity: 100), names: NameTable(capacity: 100), groups: NameTable(capacity: 100),
        catalog: SpanCatalog(), deliveries: OpenDeliveries(capacity: 65_536, unsettledNanoseconds: 300_000_000_000),
        sampler: Sampler(.alwaysOff), sink: Discard(),
        sampling: SamplingController(SamplingBudget(fixed: Sampler(.alwaysOff))), guards: guards)
    let lane = Lane(shared: shared, listeners: [listener], metrics: MetricsRegistry().makeShard(), seed: (1, 2, 3, 4))
    var session = RedisSession(lane: lane, listener: listener, counters: RedisCounters(lane: lane, listener: listener))
    var now = Instant(monotonicNanoseconds: 1_000_000_000, unixNanoseconds: 1_700_000_001_000_000_000)
    let commands = repeated(bulk(["XADD", "orders", "*", "item", "book"]))
    let replies = repeated("$15\r\n1700000000000-0\r\n")
    return ContinuousClock().measure {
        for _ in 0..<reads {
            now.monotonicNanoseconds += 50_000
            _ = session.receiveFromClient(commands, at: now)
            now.monotonicNanoseconds += 200_000
            _ = session.receiveFromUpstream(replies, at: now)
            lane.flush()
        }
    }
}

let arguments = CommandLine.arguments
if arguments.count == 3, let reads = Int(arguments[2]) {
    _ = run(isGuarded: arguments[1] == "on", reads: reads)
} else {
    for mode in ["off", "on", "off", "on", "off", "on"] {
        let duration = run(isGuarded: mode == "on", reads: 5_000)
        let nanoseconds = Double(duration.components.attoseconds) / 1e9 + Double(duration.components.seconds) * 1e9
        print("guards \(mode): \((nanoseconds / Double(5_000 * messagesPerRead) * 10).rounded() / 10) ns per message")
    }
}
