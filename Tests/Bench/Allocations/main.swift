import AllocationCount
import NIOCore
import Pipeline
import Telemetry

// Heap blocks and time per message on the way through a session, sampled and not. One thread, no sockets: what remains
// is the work of the pipeline. Commands come in reads of 100, as a busy pipeline delivers them.

/// Takes spans and forgets them.
final class Discard: SpanSink {
    func offer(_ batch: inout [SpanRecord]) { batch.removeAll(keepingCapacity: true) }
}

struct Scenario {
    var name: String
    var sampler: SamplerChoice
    var holdsUnsampled: Bool
    var inject: InjectionRule
}

let messagesPerRead = 100
let reads = 2_000
let id = "1700000000000-0"

func bulk(_ words: [String]) -> String {
    "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
}

func measure(_ scenario: Scenario) {
    let listener = ListenerProfile(
        number: 0, name: "redis", service: "shop", system: "redis", broker: BrokerAddress(server: "bus", port: 6379),
        inject: scenario.inject)
    let shared = Lane.SharedState(
        destinations: NameTable(capacity: 100), names: NameTable(capacity: 100), groups: NameTable(capacity: 100),
        catalog: SpanCatalog(), deliveries: OpenDeliveries(capacity: 65_536, unsettledNanoseconds: 300_000_000_000),
        sampler: Sampler(.parentBased(root: .alwaysOn)), sink: Discard(),
        sampling: SamplingController(SamplingBudget(fixed: Sampler(scenario.sampler))),
        provisional: scenario.holdsUnsampled ? ProvisionalRing(capacity: 16_384) : nil)
    let lane = Lane(shared: shared, listeners: [listener], metrics: MetricsRegistry().makeShard(), seed: (1, 2, 3, 4))
    var session = RedisSession(lane: lane, listener: listener, counters: RedisCounters(lane: lane, listener: listener))
    var now = Instant(monotonicNanoseconds: 1_000_000_000, unixNanoseconds: 1_700_000_001_000_000_000)
    let commands = ByteBuffer(
        string: String(repeating: bulk(["XADD", "orders", "*", "item", "book"]), count: messagesPerRead))
    let replies = ByteBuffer(string: String(repeating: "$\(id.utf8.count)\r\n\(id)\r\n", count: messagesPerRead))

    func round(_ count: Int) -> (blocks: UInt64, duration: Duration) {
        let before = allocation_count()
        let duration = ContinuousClock().measure {
            for _ in 0..<count {
                _ = session.receiveFromClient(commands, at: now)
                now.monotonicNanoseconds += 100_000
                now.unixNanoseconds += 100_000
                _ = session.receiveFromUpstream(replies, at: now)
                lane.flush()
            }
        }
        return (allocation_count() - before, duration)
    }

    _ = round(reads / 4)
    let (blocks, duration) = round(reads)
    let nanoseconds = Double(duration.components.attoseconds) / 1e9 + Double(duration.components.seconds) * 1e9
    let perMessage = nanoseconds / Double(reads * messagesPerRead)
    let text = "\(scenario.name),\(Double(blocks) / Double(reads)),"
    print(text + "\(Double(blocks) / Double(reads * messagesPerRead)),\((perMessage * 10).rounded() / 10)")
}

print("scenario,blocks per read of \(messagesPerRead) messages,blocks per message,ns per message")
for scenario in [
    Scenario(name: "off", sampler: .alwaysOff, holdsUnsampled: false, inject: .never),
    Scenario(name: "unsampled and held", sampler: .alwaysOff, holdsUnsampled: true, inject: .never),
    Scenario(name: "unsampled and held and injected", sampler: .alwaysOff, holdsUnsampled: true, inject: .always),
    Scenario(name: "1 % sampled", sampler: .ratio(0.01), holdsUnsampled: true, inject: .never),
    Scenario(name: "all sampled", sampler: .alwaysOn, holdsUnsampled: true, inject: .never),
] { measure(scenario) }
