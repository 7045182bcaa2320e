import Gateway
import Wire

@testable import EventGateway
@testable import EventLog

/// One socket without a network and without a log: what it is told, and what it wants done, as lines of text.
struct SocketWorld {
    var machine: SocketMachine
    var now: Int64 = 0
    private var requests = 0

    init(_ limits: SocketLimits = SocketLimits()) {
        machine = SocketMachine(stream: Array("orders".utf8), limits: limits, now: 0)
    }

    /// A message for the socket, with data; ids count `r1`, `r2`.
    mutating func ask(_ word: String, _ data: String) -> [String] {
        requests += 1
        return receive(
            #"{"specversion":"1.0","id":"r\#(requests)","source":"/me","type":"tacho.socket.\#(word)","data":\#(data)}"#
        )
    }

    mutating func receive(_ text: String) -> [String] { lines(machine.received(Array(text.utf8), now: now)) }

    mutating func publish(_ id: String, data: String = "1") -> [String] {
        receive(#"{"specversion":"1.0","id":"\#(id)","source":"/shop","type":"order.placed","data":\#(data)}"#)
    }

    /// Events of these offsets as a group gives them: odd ones are of the type `odd`, the others `even`.
    func leased(_ offsets: ClosedRange<Int64>, nextDue: Int64? = nil) -> SocketPage {
        .leased(
            offsets.map { offset in
                LeasedEvent(
                    id: StreamID(UInt64(offset), 0), offset: offset, fields: Self.fields(offset),
                    appendedAtUnixMilliseconds: 1, deliveries: 1, leasedUntilUnixMilliseconds: 9, isReplay: false)
            }, nextDueUnixMilliseconds: nextDue)
    }

    /// The same as the stream has them.
    func stored(_ offsets: ClosedRange<Int64>) -> SocketPage {
        .stored(
            offsets.map { offset in
                StoredEvent(
                    stream: machine.stream, id: StreamID(UInt64(offset), 0), offset: offset,
                    fields: Self.fields(offset), appendedAtUnixMilliseconds: 1, hash: [], isReplay: false)
            })
    }

    private static func fields(_ offset: Int64) -> EventFields {
        var fields = EventFields()
        fields.append(name: "ce_id".utf8, value: String(offset).utf8)
        fields.append(name: "ce_type".utf8, value: (offset % 2 == 1 ? "odd" : "even").utf8)
        return fields
    }

    /// Actions, a line each; what a client is told as `-> type data`.
    func lines(_ actions: [SocketAction]) -> [String] {
        actions.map { action in
            switch action {
            case .send(let answer): Self.line(answer)
            case .deliver(let delivery):
                switch delivery.event {
                case .stored(let event): "-> \(delivery.subscription) \(event.offset)"
                case .leased(let event, _, _): "-> \(delivery.subscription) \(event.offset)"
                }
            case .publish(let token, let event): "publish \(token) \(event.id)"
            case .open(let serial, _): "open \(serial)"
            case .fetch(let serial, .follow(let offset, let limit)): "fetch \(serial) from \(offset), \(limit)"
            case .fetch(let serial, .group(let group, let consumer, let lease, let limit)):
                "fetch \(serial) \(group)/\(consumer)\(lease.map { " \($0) ms" } ?? ""), \(limit)"
            case .settle(let token, let group, _, let settlement):
                "\(Self.word(settlement)) \(token.map(String.init) ?? "-") \(group): "
                    + settlement.ids.map { "\($0.milliseconds)" }.joined(separator: " ")
            case .wake(let serial, let moment): "wake \(serial) at \(moment)"
            case .ping: "ping"
            case .read(let reads): reads ? "read" : "do not read"
            case .forget(let serial): "forget \(serial)"
            case .close(let reason, let text): "close \(reason.code) \(text)"
            }
        }
    }

    private static func word(_ settlement: SocketSettlement) -> String {
        switch settlement {
        case .acknowledge: "ack"
        case .reject(_, let delay, _, let isFinal): isFinal ? "bury" : "nack\(delay.map { "(\($0))" } ?? "")"
        case .extend(_, let lease): "extend(\(lease))"
        }
    }

    private static func line(_ answer: SocketAnswer) -> String {
        let text = answer.encoded(source: "/s", number: 1)
        guard let event = try? CloudEventJSON.event(text) else { return "-> no CloudEvent" }
        return "-> \(event.type.dropFirst("tacho.socket.".count)) "
            + String(decoding: event.data ?? [], as: UTF8.self)
    }
}
