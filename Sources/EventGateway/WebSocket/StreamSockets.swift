import EventLog
import Gateway
import HTTPTypes
import NIOCore
import NIOWebSocket
import Synchronization
import Telemetry
import Wire

/// The sockets of the event log: `/streams/{stream}/socket`, with the subprotocol `cloudevents.json`.
final class StreamSockets: SocketEndpoint {
    let limits: SocketLimits
    let connectionsMax: Int
    let counters = SocketCounters()
    let filters = GroupFilters()
    let desk: SocketDesk?

    /// - Parameter desk: nil where the process has no event log.
    init(desk: SocketDesk?, settings: SocketSettings) {
        self.desk = desk
        connectionsMax = settings.connectionsMax
        var limits = SocketLimits()
        limits.stallMilliseconds = Int64(settings.stallSeconds) * 1_000
        self.limits = limits
    }

    /// Adds what sockets have done to each scrape.
    func register(in registry: MetricsRegistry) {
        registry.onScrape { [counters] samples in
            let values = counters.current
            samples.set(MetricCatalog.sockets, value: UInt64(values.open))
            samples.set(MetricCatalog.socketEvents, ["published"], value: values.published)
            samples.set(MetricCatalog.socketEvents, ["delivered"], value: values.delivered)
            for reason in SocketCloseReason.allCases {
                samples.set(MetricCatalog.socketsClosed, [reason.rawValue], value: values.closed[reason] ?? 0)
            }
        }
    }

    var subprotocol: String { "cloudevents.json" }
    /// One more than a message may have, so that a message beyond the limit is told from a frame that is none.
    var frameBytesMax: Int { limits.messageBytesMax + 1 }

    func serves(path: Substring) -> Bool { Self.stream(of: path) != nil }

    func refusal(of request: SocketRequest) -> GatewayProblem? {
        if let problem = request.originRefusal { return problem }
        guard desk != nil else { return GatewayProblem.noLog }
        guard request.subprotocols.contains(subprotocol) else {
            return .badQuery(
                "Sec-WebSocket-Protocol: expected \(subprotocol), the only event format that is spoken here")
        }
        guard let stream = Self.stream(of: request.path), (1...512).contains(stream.count) else {
            return .badQuery("stream: expected a name of 1 to 512 bytes")
        }
        guard counters.open < connectionsMax else {
            return GatewayProblem(
                status: .serviceUnavailable, detail: "\(connectionsMax) sockets are open, which is the most",
                retryAfterSeconds: 5)
        }
        return nil
    }

    /// What a request is answered that has not become a socket.
    func explanation(of request: SocketRequest) -> GatewayProblem {
        refusal(of: request)
            ?? GatewayProblem(status: .upgradeRequired, detail: "this resource is a WebSocket, version 13")
    }

    func configure(_ channel: any Channel, for request: SocketRequest) throws -> EventLoopFuture<Void> {
        guard let desk, let stream = Self.stream(of: request.path) else {
            throw ChannelError.inappropriateOperationForState
        }
        let marks = ChannelOptions.Types.WriteBufferWaterMark(low: 256 << 10, high: 1 << 20)
        try channel.syncOptions?.setOption(.writeBufferWaterMark, value: marks)
        let end = channel.eventLoop.makePromise(of: Void.self)
        let handler = SocketHandler(
            stream: stream, source: String(request.path), limits: limits, desk: desk, filters: filters,
            counters: counters, end: end)
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            end.fail(error)
            throw error
        }
        return end.futureResult
    }

    /// The stream of `/streams/{stream}/socket`, percent-decoded; nil for any other path.
    static func stream(of path: Substring) -> [UInt8]? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].isEmpty, parts[1] == "streams", parts[3] == "socket" else { return nil }
        return PercentEncoding.decode(parts[2])
    }
}

/// What operators decide about sockets.
public struct SocketSettings: Sendable, Hashable {
    /// Sockets that may be open at once.
    public var connectionsMax: Int
    /// How long a client may leave unread what waits for it.
    public var stallSeconds: Int

    /// Usual values.
    public init(connectionsMax: Int = 512, stallSeconds: Int = 30) {
        self.connectionsMax = connectionsMax
        self.stallSeconds = stallSeconds
    }
}

/// Which filter each group is read with over sockets. A filtered group must be read with one filter only: what it leaves
/// out is acknowledged for all.
final class GroupFilters: Sendable {
    private struct Entry {
        var filter: EventFilter?
        var sockets: Int
    }

    private let entries = Mutex<[DurableLog.GroupName: Entry]>([:])

    /// False when others read the group with another filter.
    func enter(_ group: DurableLog.GroupName, _ filter: EventFilter?) -> Bool {
        entries.withLock { entries in
            if let entry = entries[group], entry.filter != filter { return false }
            entries[group, default: Entry(filter: filter, sockets: 0)].sockets += 1
            return true
        }
    }

    func leave(_ group: DurableLog.GroupName) {
        entries.withLock { entries in
            entries[group]?.sockets -= 1
            if entries[group]?.sockets == 0 { entries[group] = nil }
        }
    }
}

/// What sockets have done since the process began.
final class SocketCounters: Sendable {
    struct Values {
        var opened: UInt64 = 0
        var closed: [SocketCloseReason: UInt64] = [:]
        var published: UInt64 = 0
        var delivered: UInt64 = 0

        /// Sockets that are open.
        var open: Int { Int(opened - closed.values.reduce(0, +)) }
    }

    private let values = Mutex(Values())

    var current: Values { values.withLock { $0 } }

    /// Sockets that are open.
    var open: Int { current.open }

    func opened() { values.withLock { $0.opened += 1 } }
    func closed(_ reason: SocketCloseReason) { values.withLock { $0.closed[reason, default: 0] += 1 } }
    func published() { values.withLock { $0.published += 1 } }
    func delivered(_ count: UInt64) { values.withLock { $0.delivered += count } }
}
