import EventLog
import Gateway
import Wire

/// What a client says in one message. Each message is a CloudEvent in JSON, in both directions, as the WebSocket binding
/// wants it (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/websockets-protocol-binding.md); those
/// whose type begins with `tacho.socket.` are meant for the socket itself, all others are published.
enum SocketCommand: Equatable {
    case publish(CloudEvent)
    case subscribe(SocketSubscribe)
    case unsubscribe(name: String)
    /// So many further events may be delivered.
    case credit(name: String, events: Int)
    case settle(name: String, SocketSettlement)

    /// Types of messages that are not published begin so.
    static let typePrefix = "tacho.socket."
}

/// A wish to be sent events.
struct SocketSubscribe: Equatable {
    /// How the client calls it.
    var name: String
    var source: SocketSource
    /// Events that are wanted; nil for all.
    var filter: EventFilter?
    /// Events that may be delivered before more credit is given.
    var credit: Int
}

/// Where a subscription's events come from.
enum SocketSource: Equatable {
    /// From a place in the stream on; nobody acknowledges them.
    case follow(from: SocketStart)
    /// From a consumer group, with a lease; acknowledged by the client. `create` makes a group that is not there.
    case group(String, consumer: String, leaseMilliseconds: Int64?, create: SocketStart?)
}

/// A place in a stream.
enum SocketStart: Equatable {
    /// The oldest event there is.
    case first
    /// What is appended from now on.
    case new
    /// This offset, or the next there is.
    case offset(Int64)
}

/// What is to become of events in a client's hands.
enum SocketSettlement: Equatable {
    case acknowledge([StreamID])
    /// Another attempt, after a while (nil: as the group's policy says), or none.
    case reject([StreamID], delayMilliseconds: Int64?, error: String, isFinal: Bool)
    case extend([StreamID], leaseMilliseconds: Int64)

    var ids: [StreamID] {
        switch self {
        case .acknowledge(let ids), .reject(let ids, _, _, _), .extend(let ids, _): ids
        }
    }
}

extension SocketCommand {
    /// Events that one message may grant.
    static let creditMax = 1_000_000
    /// Ids that one message may name.
    static let idsMax = 1_000
    private static let leaseMax: Int64 = 86_400_000
    private static let nameBytesMax = 128

    /// What an event that a client has sent means; throws what is wrong with a message for the socket.
    init(_ event: CloudEvent) throws(GatewayProblem) {
        guard event.type.hasPrefix(Self.typePrefix) else {
            self = .publish(event)
            return
        }
        let data = try SocketData(event.data)
        let name = try data.text("subscription", bytesMax: Self.nameBytesMax) ?? "default"
        switch event.type.dropFirst(Self.typePrefix.count) {
        case "subscribe": self = .subscribe(try Self.subscription(name, data))
        case "unsubscribe":
            try data.only(["subscription"])
            self = .unsubscribe(name: name)
        case "credit":
            try data.only(["subscription", "events"])
            self = .credit(name: name, events: Int(try data.required("events", in: 1...Int64(Self.creditMax))))
        case "ack":
            try data.only(["subscription", "ids"])
            self = .settle(name: name, .acknowledge(try data.ids(max: Self.idsMax)))
        case "nack":
            try data.only(["subscription", "ids", "delay_milliseconds", "reason", "final"])
            self = .settle(
                name: name,
                .reject(
                    try data.ids(max: Self.idsMax),
                    delayMilliseconds: try data.number("delay_milliseconds", in: 0...Self.leaseMax),
                    error: try data.text("reason", bytesMax: 1_024) ?? "", isFinal: try data.flag("final")))
        case "extend":
            try data.only(["subscription", "ids", "lease_milliseconds"])
            self = .settle(
                name: name,
                .extend(
                    try data.ids(max: Self.idsMax),
                    leaseMilliseconds: try data.required("lease_milliseconds", in: 1...Self.leaseMax)))
        default:
            throw .badQuery(
                "type: after tacho.socket. expected one of subscribe, unsubscribe, credit, ack, nack, extend")
        }
    }

    private static func subscription(_ name: String, _ data: SocketData) throws(GatewayProblem) -> SocketSubscribe {
        try data.only(["subscription", "group", "consumer", "from", "filter", "credit", "lease_milliseconds"])
        let start = try data.start("from")
        let source: SocketSource
        if let group = try data.text("group", bytesMax: nameBytesMax) {
            guard let consumer = try data.text("consumer", bytesMax: nameBytesMax) else {
                throw .badQuery("consumer: with a group, say which of its consumers this is")
            }
            if case .offset = start { throw .badQuery("from: a group begins at \"first\" or \"new\"") }
            source = .group(
                group, consumer: consumer,
                leaseMilliseconds: try data.number("lease_milliseconds", in: 1...leaseMax), create: start)
        } else {
            guard try data.text("consumer", bytesMax: nameBytesMax) == nil,
                try data.number("lease_milliseconds", in: 1...leaseMax) == nil
            else { throw .badQuery("consumer and lease_milliseconds go with a group") }
            source = .follow(from: start ?? .new)
        }
        return SocketSubscribe(
            name: name, source: source, filter: try data.filter("filter"),
            credit: Int(try data.number("credit", in: 0...Int64(creditMax)) ?? 0))
    }
}

/// The payload of a message for the socket: an object, read member by member.
private struct SocketData {
    private let members: [JSONValue.Member]

    init(_ bytes: [UInt8]?) throws(GatewayProblem) {
        guard let bytes else {
            members = []
            return
        }
        let limits = JSONLimits(depthMax: 32, valuesMax: 4_096)
        guard case .object(let members)? = try? JSONValue(parsing: bytes, limits: limits) else {
            throw .badQuery("data: expected a JSON object of at most \(limits.valuesMax) values")
        }
        self.members = members
    }

    private func value(_ name: String) -> JSONValue? { members.first { $0.name == name }?.value }

    /// Refuses members that nobody would look at.
    func only(_ names: [String]) throws(GatewayProblem) {
        guard members.allSatisfy({ names.contains($0.name) }) else {
            throw .badQuery("data: expected no members but \(names.joined(separator: ", "))")
        }
    }

    func text(_ name: String, bytesMax: Int) throws(GatewayProblem) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.text, (1...bytesMax).contains(text.utf8.count) else {
            throw .badQuery("\(name): expected a text of 1 to \(bytesMax) bytes")
        }
        return text
    }

    func number(_ name: String, in range: ClosedRange<Int64>) throws(GatewayProblem) -> Int64? {
        guard let value = value(name) else { return nil }
        guard let number = value.integer, range.contains(number) else {
            throw .badQuery("\(name): expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func required(_ name: String, in range: ClosedRange<Int64>) throws(GatewayProblem) -> Int64 {
        guard let number = try number(name, in: range) else {
            throw .badQuery("\(name): expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func flag(_ name: String) throws(GatewayProblem) -> Bool {
        guard let value = value(name) else { return false }
        guard let flag = value.truth else { throw .badQuery("\(name): expected true or false") }
        return flag
    }

    func start(_ name: String) throws(GatewayProblem) -> SocketStart? {
        switch value(name) {
        case nil: return nil
        case .string("first"): return .first
        case .string("new"): return .new
        case let value?:
            guard let offset = value.integer ?? value.text.flatMap({ Int64($0) }), offset >= 1 else {
                throw .badQuery("\(name): expected \"first\", \"new\" or an offset from 1 on")
            }
            return .offset(offset)
        }
    }

    func filter(_ name: String) throws(GatewayProblem) -> EventFilter? {
        guard let value = value(name) else { return nil }
        do throws(EventFilterError) {
            return try EventFilter(value)
        } catch {
            throw .badQuery("\(name): \(error)")
        }
    }

    func ids(max: Int) throws(GatewayProblem) -> [StreamID] {
        guard case .array(let values)? = value("ids"), (1...max).contains(values.count) else {
            throw .badQuery("ids: expected an array of 1 to \(max) ids as tachoid gives them")
        }
        var ids: [StreamID] = []
        for value in values {
            guard let id = value.text.flatMap({ StreamID(text: $0) }) else {
                throw .badQuery("ids: expected ids as tachoid gives them, for example 1526919030474-55")
            }
            ids.append(id)
        }
        return ids
    }
}
