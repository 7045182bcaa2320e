import NIOCore
import Pipeline
import Synchronization
import Telemetry

@testable import Proxy

/// A protocol that leaves bytes as they are, except that it keeps a trailing `(` until more comes, and becomes opaque
/// at `!`. It is busy between a `?` of the client and a `.` of the upstream.
struct EchoMachine: SessionMachine {
    final class Counters: SessionCounters {
        init(lane: Lane, listener: ListenerProfile) {}
    }

    private var kept: (client: Bool, upstream: Bool) = (false, false)
    private var waits = false
    private let counters: Counters

    init(lane: Lane, listener: ListenerProfile, counters: Counters, peer: ClientPeer) { self.counters = counters }

    mutating func receiveFromClient(_ bytes: ByteBuffer, at now: Instant) -> SessionOutput {
        let text = (kept.client ? "(" : "") + String(buffer: bytes)
        if text.contains("?") { waits = true }
        kept.client = text.hasSuffix("(")
        return SessionOutput(
            toUpstream: ByteBuffer(string: kept.client ? String(text.dropLast()) : text),
            becameOpaque: text.contains("!") ? .malformedRequest : nil)
    }

    mutating func receiveFromUpstream(_ bytes: ByteBuffer, at now: Instant) -> SessionOutput {
        let text = (kept.upstream ? "(" : "") + String(buffer: bytes)
        if text.contains(".") { waits = false }
        kept.upstream = text.hasSuffix("(")
        return SessionOutput(toClient: ByteBuffer(string: kept.upstream ? String(text.dropLast()) : text))
    }

    mutating func clientFinished(at now: Instant) -> SessionOutput {
        defer { kept.client = false }
        return SessionOutput(toUpstream: kept.client ? ByteBuffer(string: "(") : nil)
    }

    mutating func upstreamFinished(at now: Instant) -> SessionOutput {
        defer { kept.upstream = false }
        return SessionOutput(toClient: kept.upstream ? ByteBuffer(string: "(") : nil)
    }

    mutating func closed(at now: Instant) {}

    var isIdle: Bool { !waits }

    static func refusal(_ reason: String) -> ByteBuffer { ByteBuffer(string: "no: \(reason)\n") }
}

/// What a worker needs and these tests do not look at.
enum Parts {
    static func profile(inject: InjectionRule = .always) -> ListenerProfile {
        ListenerProfile(
            number: 0, name: "test", service: "shop", system: "redis",
            broker: BrokerAddress(server: "broker.test", port: 6379), inject: inject)
    }

    static func worker(_ registry: MetricsRegistry) -> Worker {
        let shared = Lane.SharedState(
            destinations: NameTable(capacity: 100), names: NameTable(capacity: 100), groups: NameTable(capacity: 100),
            catalog: SpanCatalog(), deliveries: OpenDeliveries(capacity: 16, unsettledNanoseconds: 1_000_000_000),
            sampler: Sampler(.alwaysOn), sink: Discarding())
        let lane = Lane(shared: shared, listeners: [profile()], metrics: registry.makeShard(), seed: (1, 2, 3, 4))
        return Worker(lane: lane, listeners: [profile()])
    }

    private struct Discarding: SpanSink {
        func offer(_ batch: inout [SpanRecord]) { batch.removeAll(keepingCapacity: true) }
    }
}
