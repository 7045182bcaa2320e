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
let milliseconds = 1_700_000_000_000
let id = "\(milliseconds)-0"

func bulk(_ words: [String]) -> String {
    "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
}

/// What crosses the wire in one round, in the order in which it does, and how many messages that is.
struct Traffic {
    var name: String
    /// What comes once, before the first round.
    var opening: [Step] = []
    var steps: [Step]

    enum Step {
        case fromClient(ByteBuffer)
        case fromServer(ByteBuffer)
    }

    static let publishing = Traffic(
        name: "publish",
        steps: [
            .fromClient(repeated { _ in bulk(["XADD", "orders", "*", "item", "book"]) }),
            .fromServer(repeated { _ in "$\(id.utf8.count)\r\n\(id)\r\n" }),
        ])

    /// One read of all messages, which carry contexts that are not sampled, then an acknowledgement for each.
    static let consuming = Traffic(
        name: "consume",
        steps: [
            .fromClient(
                ByteBuffer(string: bulk(["XREADGROUP", "GROUP", "g", "c", "COUNT", "100", "STREAMS", "orders", ">"]))),
            .fromServer(
                ByteBuffer(string: "*1\r\n*2\r\n$6\r\norders\r\n*\(messagesPerRead)\r\n" + text { entry($0) })),
            .fromClient(repeated { bulk(["XACK", "orders", "g", "\(milliseconds)-\($0)"]) }),
            .fromServer(repeated { _ in ":1\r\n" }),
        ])

    private static let natsOpening: [Step] = [
        .fromServer(ByteBuffer(string: #"INFO {"headers":true,"max_payload":1048576}"# + "\r\n")),
        .fromClient(ByteBuffer(string: #"CONNECT {"headers":true,"verbose":false}"# + "\r\nSUB orders 1\r\n")),
    ]

    private static let body = String(repeating: "x", count: 512)

    static let natsPublishing = Traffic(
        name: "NATS publish 512 B", opening: natsOpening,
        steps: [.fromClient(repeated { _ in "PUB orders 512\r\n\(body)\r\n" })])

    /// Messages with contexts that are not sampled, that nobody settles.
    static let natsDelivering = Traffic(
        name: "NATS deliver 512 B", opening: natsOpening,
        steps: [
            .fromServer(
                repeated {
                    let block = "NATS/1.0\r\ntraceparent: \(context($0))\r\n\r\n"
                    return "HMSG orders 1 \(block.utf8.count) \(block.utf8.count + 512)\r\n\(block)\(body)\r\n"
                })
        ])

    /// Messages that JetStream stores, and its word on each.
    static let natsAnswered = Traffic(
        name: "JetStream publish 512 B",
        opening: natsOpening + [.fromClient(ByteBuffer(string: "SUB _INBOX.abc.* 2\r\n"))],
        steps: [
            .fromClient(repeated { "PUB orders _INBOX.abc.\($0) 512\r\n\(body)\r\n" }),
            .fromServer(
                repeated {
                    let answer = #"{"stream":"ORDERS", "seq":\#($0 + 1)}"#
                    return "MSG _INBOX.abc.\($0) 2 \(answer.utf8.count)\r\n\(answer)\r\n"
                }),
        ])

    /// JetStream's messages and an acknowledgement for each.
    static let natsConsuming = Traffic(
        name: "JetStream consume 512 B", opening: natsOpening,
        steps: [
            .fromServer(repeated { "MSG orders 1 \(ack($0)) 512\r\n\(body)\r\n" }),
            .fromClient(repeated { "PUB \(ack($0)) 0\r\n\r\n" }),
        ])

    private static func ack(_ number: Int) -> String {
        "$JS.ACK.ORDERS.worker.1.\(number + 1).\(number + 1).\(milliseconds)000000.0"
    }

    private static func context(_ number: Int) -> String {
        "00-4bf92f3577b34da6a3ce929d0e0e4\(736 + number)-00f067aa0ba902b7-02"
    }

    private static func entry(_ number: Int) -> String {
        let id = "\(milliseconds)-\(number)"
        return "*2\r\n$\(id.utf8.count)\r\n\(id)\r\n" + bulk(["item", "book", "traceparent", context(number)])
    }

    private static func text(_ make: (Int) -> String) -> String { (0..<messagesPerRead).map(make).joined() }

    private static func repeated(_ make: (Int) -> String) -> ByteBuffer { ByteBuffer(string: text(make)) }
}

/// Heap blocks and time of so many reads, behind a quarter as many that do not count.
func measure<Session: SessionMachine>(
    _ traffic: Traffic, _ scenario: Scenario, _: Session.Type, reads: Int
) -> (blocks: UInt64, duration: Duration) {
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
    var session = Session(
        lane: lane, listener: listener, counters: Session.Counters(lane: lane, listener: listener), peer: .unknown)
    var now = Instant(monotonicNanoseconds: 1_000_000_000, unixNanoseconds: 1_700_000_001_000_000_000)

    func take(_ step: Traffic.Step) {
        now.monotonicNanoseconds += 50_000
        now.unixNanoseconds += 50_000
        switch step {
        case .fromClient(let bytes): _ = session.receiveFromClient(bytes, at: now)
        case .fromServer(let bytes): _ = session.receiveFromUpstream(bytes, at: now)
        }
        lane.flush()
    }

    func round(_ count: Int) -> (blocks: UInt64, duration: Duration) {
        let before = allocation_count()
        let duration = ContinuousClock().measure {
            for _ in 0..<count {
                for step in traffic.steps { take(step) }
            }
        }
        return (allocation_count() - before, duration)
    }

    for step in traffic.opening { take(step) }
    _ = round(reads / 4)
    return round(reads)
}

/// One thing to measure.
struct Case {
    var traffic: Traffic
    var scenario: Scenario
    var isNATS: Bool

    var name: String { "\(traffic.name),\(scenario.name)" }

    func measure(reads: Int) -> (blocks: UInt64, duration: Duration) {
        isNATS
            ? allocations.measure(traffic, scenario, NATSSession.self, reads: reads)
            : allocations.measure(traffic, scenario, RedisSession.self, reads: reads)
    }
}

let off = Scenario(name: "off", sampler: .alwaysOff, holdsUnsampled: false, inject: .never)
let held = Scenario(name: "unsampled and held", sampler: .alwaysOff, holdsUnsampled: true, inject: .never)
let injected = Scenario(
    name: "unsampled, held and injected", sampler: .alwaysOff, holdsUnsampled: true, inject: .always)
let few = Scenario(name: "1 % sampled", sampler: .ratio(0.01), holdsUnsampled: true, inject: .never)
let fewInjected = Scenario(
    name: "1 % sampled and injected", sampler: .ratio(0.01), holdsUnsampled: true, inject: .always)
let all = Scenario(name: "all sampled", sampler: .alwaysOn, holdsUnsampled: true, inject: .never)

let cases =
    [off, held, injected, few, fewInjected, all].map { Case(traffic: .publishing, scenario: $0, isNATS: false) }
    + [off, held].map { Case(traffic: .consuming, scenario: $0, isNATS: false) }
    + [off, held, injected, fewInjected, all].map { Case(traffic: .natsPublishing, scenario: $0, isNATS: true) }
    + [Traffic.natsDelivering, .natsAnswered, .natsConsuming].flatMap { traffic in
        [off, held].map { Case(traffic: traffic, scenario: $0, isNATS: true) }
    }

switch CommandLine.arguments.dropFirst().map({ $0 }) {
case ["list"]:
    for (number, one) in cases.enumerated() { print("\(number),\(one.name)") }
case let words where words.count == 2:
    // For a tool that counts instructions: one case alone, so many reads in all.
    guard let number = Int(words[0]), cases.indices.contains(number), let reads = Int(words[1]) else {
        fatalError("usage: allocations [list | NUMBER READS]")
    }
    _ = cases[number].measure(reads: reads)
default:
    let reads = 2_000
    print("traffic,scenario,blocks per read of \(messagesPerRead) messages,blocks per message,ns per message")
    for one in cases {
        let (blocks, duration) = one.measure(reads: reads)
        let nanoseconds = Double(duration.components.attoseconds) / 1e9 + Double(duration.components.seconds) * 1e9
        let perMessage = nanoseconds / Double(reads * messagesPerRead)
        let text = "\(one.name),\(Double(blocks) / Double(reads)),"
        print(text + "\(Double(blocks) / Double(reads * messagesPerRead)),\((perMessage * 10).rounded() / 10)")
    }
}
