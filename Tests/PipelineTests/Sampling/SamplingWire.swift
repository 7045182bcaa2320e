import NIOCore
import Synchronization
import Telemetry

@testable import Pipeline

/// A Redis session on a lane that samples, driven by what crosses the wire; time moves when told to.
struct SamplingWire {
    final class Collected: SpanSink {
        private let spans = Mutex<[SpanRecord]>([])

        func offer(_ batch: inout [SpanRecord]) {
            spans.withLock { $0 += batch }
            batch.removeAll(keepingCapacity: true)
        }

        func take() -> [SpanRecord] {
            spans.withLock { spans in
                defer { spans = [] }
                return spans
            }
        }
    }

    let lane: Lane
    let registry: MetricsRegistry
    private let sink = Collected()
    private let listener: ListenerProfile
    private var session: RedisSession
    private(set) var now = Instant(
        monotonicNanoseconds: 5_000_000_000, unixNanoseconds: 1_700_000_000_000_000_000)

    init(
        _ budget: SamplingBudget, rules: KeepRules? = .all, deliver: DeliveryRule = .keep
    ) {
        registry = MetricsRegistry()
        listener = ListenerProfile(
            number: 0, name: "redis", service: "shop", system: "redis",
            broker: BrokerAddress(server: "bus", port: 6379), deliver: deliver)
        let shared = Lane.SharedState(
            destinations: NameTable(capacity: 100), names: NameTable(capacity: 100), groups: NameTable(capacity: 100),
            catalog: SpanCatalog(), deliveries: OpenDeliveries(capacity: 1_600, unsettledNanoseconds: 300_000_000_000),
            sampler: Sampler(.parentBased(root: .alwaysOn)), sink: sink, sampling: SamplingController(budget),
            provisional: rules.map { ProvisionalRing(capacity: 1_600, rules: $0) })
        lane = Lane(shared: shared, listeners: [listener], metrics: registry.makeShard(), seed: (9, 8, 7, 6))
        session = RedisSession(lane: lane, listener: listener, counters: RedisCounters(lane: lane, listener: listener))
    }

    /// What the server gets when the client writes this command.
    @discardableResult
    mutating func client(_ words: String...) -> String {
        let text = "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
        let output = session.receiveFromClient(ByteBuffer(string: text), at: now)
        return output.toUpstream.map { String(buffer: $0) } ?? ""
    }

    /// What the client gets when the server writes this.
    @discardableResult
    mutating func server(_ text: String) -> String {
        let output = session.receiveFromUpstream(ByteBuffer(string: text), at: now)
        return output.toClient.map { String(buffer: $0) } ?? ""
    }

    mutating func pass(milliseconds: UInt64) {
        now.monotonicNanoseconds += milliseconds * 1_000_000
        now.unixNanoseconds += milliseconds * 1_000_000
    }

    /// The spans that were recorded since the last call, by name.
    func spans() -> [(name: String, span: SpanRecord)] {
        lane.flush()
        return sink.take().map { (lane.shared.catalog.descriptor($0.descriptor).spanName, $0) }
    }

    /// One entry of one stream, as XREADGROUP answers with it.
    static func delivery(_ stream: String, _ id: String, _ fields: [String]) -> String {
        let words = fields.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
        return "*1\r\n*2\r\n$\(stream.utf8.count)\r\n\(stream)\r\n*1\r\n*2\r\n$\(id.utf8.count)\r\n\(id)\r\n"
            + "*\(fields.count)\r\n\(words)"
    }

    /// The fields behind the id of an XADD, as the server got it.
    static func fields(of command: String) -> [String] {
        let lines = command.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        return stride(from: 2, to: lines.count - 1, by: 2).map { lines[$0] }.dropFirst(3).map { $0 }
    }
}
