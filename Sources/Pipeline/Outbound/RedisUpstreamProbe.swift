public import NIOCore
import Resilience
import Wire

/// Asks an upstream whether it is there again, on a connection of the sidecar's own, while its breaker lets only probes
/// through.
///
/// Clients whose publishes go elsewhere meanwhile have no reason to try the upstream, so without this nobody might.
public struct RedisUpstreamProbe: OutboundMachine {
    /// Nothing is asked of others.
    public typealias Request = Never
    /// See `Request`.
    public typealias Answer = Never

    private let lane: Lane
    private let listener: ListenerProfile
    private var exchange: RedisExchange
    private var state = State.idle

    private enum State {
        case idle
        case connecting(ConnectionPermit)
        case asking(ConnectionPermit)
        /// We have closed the connection, and have not yet heard that it is.
        case closing
    }

    private static let calmNanoseconds: UInt64 = 250_000_000
    private static let pollNanoseconds: UInt64 = 50_000_000
    private static let answerNanosecondsMax: UInt64 = 5_000_000_000
    private static let ping = [Array("PING".utf8)]

    /// For the upstream of one listener.
    public init(lane: Lane, listener: ListenerProfile, credentials: OutboundCredentials?) {
        self.lane = lane
        self.listener = listener
        exchange = RedisExchange(credentials: credentials)
    }

    /// Looks whether a probe is wanted, or overdue.
    public mutating func woken(at now: Instant) -> OutboundStep<Never> {
        let moment = now.monotonicNanoseconds
        switch state {
        case .idle:
            guard !lane.upstreamIsOpen(listener) else { return OutboundStep(wakesAt: moment &+ Self.calmNanoseconds) }
            var step = OutboundStep<Never>(wakesAt: moment &+ Self.pollNanoseconds)
            guard case .passes(let permit) = lane.admitConnection(listener, at: now) else { return step }
            state = .connecting(permit)
            step.connection = .open
            return step
        case .asking:
            guard let deadline = exchange.deadline, moment < deadline else { return finish(.timedOut, at: now) }
            return OutboundStep(wakesAt: deadline)
        case .connecting, .closing:
            return OutboundStep(wakesAt: moment &+ Self.calmNanoseconds)
        }
    }

    /// An open connection is no proof of a working broker: it is asked.
    public mutating func connected(at now: Instant) -> OutboundStep<Never> {
        guard case .connecting(let permit) = state else { return woken(at: now) }
        state = .asking(permit)
        exchange.reset()
        let limit = min(lane.callTimeoutNanoseconds, Self.answerNanosecondsMax)
        let bytes = exchange.ask(Self.ping, database: 0, until: now.monotonicNanoseconds &+ limit)
        return asking(bytes)
    }

    /// It is not there yet, or our own close has come through.
    public mutating func disconnected(_ outcome: ConnectionOutcome, at now: Instant) -> OutboundStep<Never> {
        switch state {
        case .connecting(let permit), .asking(let permit): lane.connected(permit, listener, outcome)
        case .idle, .closing: break
        }
        state = .idle
        exchange.reset()
        return OutboundStep(wakesAt: now.monotonicNanoseconds &+ Self.pollNanoseconds)
    }

    /// Whatever it answers, it is there, unless the answer says that it is not ready.
    public mutating func received(_ bytes: ByteBuffer, at now: Instant) -> OutboundStep<Never> {
        guard case .asking = state else { return woken(at: now) }
        do throws(RESPError) {
            switch try exchange.take(bytes) {
            case .nothing: return OutboundStep(wakesAt: exchange.deadline ?? now.monotonicNanoseconds)
            case .more(let bytes): return asking(bytes)
            case .answer(.failure(let text)):
                let isReady = RedisErrorClass.result(text.span, 0..<text.count).failure == nil
                return finish(isReady ? .opened : .failed, at: now)
            case .answer: return finish(.opened, at: now)
            }
        } catch {
            return finish(.failed, at: now)
        }
    }

    /// Nothing is ever asked.
    public mutating func answered(_ answer: Never, at now: Instant) -> OutboundStep<Never> {}

    private func asking(_ bytes: [UInt8]) -> OutboundStep<Never> {
        var step = OutboundStep<Never>(wakesAt: exchange.deadline ?? 0)
        step.bytes = bytes
        return step
    }

    private mutating func finish(_ outcome: ConnectionOutcome, at now: Instant) -> OutboundStep<Never> {
        if case .asking(let permit) = state { lane.connected(permit, listener, outcome) }
        state = .closing
        exchange.reset()
        var step = OutboundStep<Never>(wakesAt: now.monotonicNanoseconds &+ Self.calmNanoseconds)
        step.connection = .close
        return step
    }
}
