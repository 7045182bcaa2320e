import NIOCore
import Pipeline
import Resilience
import Telemetry

/// One client's session with a real courier beside it: the transcript of what goes over four wires.
final class RetryBench {
    let guarded: GuardedWorld
    private let session: Conversation<RedisSession>
    private var courier: RedisCourier
    private var courierWakesAt = UInt64.max
    private var courierWritten: [UInt8] = []
    private var heard = ""

    /// `within` is in milliseconds, and so are all other times here.
    init(within: UInt64 = 2_000, messages: Int = 64, bytes: Int = 1 << 20, inject: InjectionRule = .never) {
        guarded = GuardedWorld(
            inject: inject,
            retries: PublishRetryLimits(
                withinNanoseconds: within * 1_000_000, messagesMax: messages, bytesMax: bytes))
        session = guarded.connect()
        courier = RedisCourier(lane: guarded.world.lane, listener: guarded.world.profile, credentials: nil)
    }

    /// What goes on to the upstream.
    @discardableResult
    func client(_ text: String) -> String {
        let forwarded = session.client(text)
        note()
        return forwarded
    }

    /// What the client is told at once; all of it is in `told` too.
    @discardableResult
    func upstream(_ text: String) -> String {
        let told = session.upstream(text)
        heard += told
        note()
        return told
    }

    func loseUpstream() {
        session.loseUpstream()
        note()
    }

    func close() { session.close() }

    /// Time passes, and whoever wants to be woken is.
    func wait(milliseconds: UInt64) {
        let end = moment + milliseconds * 1_000_000
        while wakesAt <= end { wake() }
        guarded.world.advance(nanoseconds: end - moment)
    }

    private var moment: UInt64 { guarded.world.now.monotonicNanoseconds }

    private var wakesAt: UInt64 { max(moment, min(session.resumesAt ?? .max, courierWakesAt)) }

    /// Goes to the next moment at which anybody wants to be woken.
    private func wake() {
        guarded.world.advance(nanoseconds: wakesAt - moment)
        if let wanted = session.resumesAt, wanted <= moment {
            session.resume()
            note()
        }
        if courierWakesAt <= moment {
            courierWakesAt = .max
            take(courier.woken(at: guarded.world.now))
        }
    }

    func tick() {
        session.tick()
    }

    /// What the courier has written since the last call.
    func carried() -> String {
        defer { courierWritten = [] }
        return String(decoding: courierWritten, as: UTF8.self)
    }

    /// Waits until the courier has something written; nothing, if that is not within five seconds.
    func carriedLater() -> String {
        let end = moment + 5_000_000_000
        while courierWritten.isEmpty, wakesAt <= end { wake() }
        return carried()
    }

    /// Answers every try until there are no more.
    func answerAll(_ text: String) {
        while carriedLater() != "" { broker(text) }
    }

    func broker(_ text: String) { take(courier.received(ByteBuffer(string: text), at: guarded.world.now)) }

    func loseCourier() { take(courier.disconnected(.failed, at: guarded.world.now)) }

    /// The next connections of the courier fail.
    var isUnreachable = false

    /// What the client has been told since the last call.
    func told() -> String {
        defer { heard = "" }
        return heard
    }

    var hasEnded: Bool { session.hasEnded }
    var isIdle: Bool { session.isIdle }
    var isHolding: Bool { session.isHolding }
    var opaque: OpaqueReason? { session.opaque }

    func forwardedLater() -> String { session.forwardedLater() }

    func retries(_ outcome: String) -> Double {
        guarded.world.metric("tacho_retries_total", #"operation="publish",outcome="\#(outcome)""#)
    }

    /// The events of the spans that have ended, one line each.
    func events() -> [String] {
        guarded.world.records().flatMap { $0.detail?.events ?? [] }.map { event in
            event.attributes.reduce("\(event.name)") { text, attribute in
                switch attribute.value {
                case .string(let value): "\(text) \(value)"
                case .integer(let value): "\(text) \(value)"
                case .double: text
                }
            }
        }
    }

    /// Hands on what the session's last output wants carried.
    private func note() {
        heard += session.answered()
        for case .courier(let order, to: .primary) in session.last.detours {
            take(courier.carry(order, at: guarded.world.now))
        }
    }

    private func take(_ step: OutboundStep<[CourierDelivery]>) {
        courierWritten += step.bytes
        courierWakesAt = step.wakesAt
        for delivery in step.request ?? [] {
            session.returned(.carried(number: delivery.number, delivery.outcome))
            note()
        }
        guard case .open = step.connection else { return }
        let now = guarded.world.now
        take(isUnreachable ? courier.disconnected(.failed, at: now) : courier.connected(at: now))
    }
}
