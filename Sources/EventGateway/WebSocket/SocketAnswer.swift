import EventLog
import Gateway
import HTTPTypes
import Wire

/// What the socket itself says to its client: a CloudEvent whose type begins with `tacho.socket.`, and whose data names
/// the `request` that it answers, if it answers one.
enum SocketAnswer: Equatable {
    /// An event is on disk.
    case published(request: String, AppendedEvent)
    /// A subscription is open. `nextOffset` is where it goes on and `lastOffset` where the stream ends; neither is said of
    /// a group.
    case subscribed(request: String, subscription: String, nextOffset: Int64?, lastOffset: Int64?)
    case unsubscribed(request: String, subscription: String)
    /// So many of the events were in the group's hands.
    case settled(request: String, count: Int)
    /// Nothing has happened, and why.
    case refused(request: String, GatewayProblem)
    /// A subscription has ended without being asked to.
    case ended(subscription: String, GatewayProblem)

    /// The text of the message.
    ///
    /// - Parameters:
    ///   - source: the path of the socket.
    ///   - number: counts the answers of the socket.
    func encoded(source: String, number: Int) -> [UInt8] {
        var event = CloudEvent(id: String(number), source: source, type: SocketCommand.typePrefix + word)
        event.dataContentType = "application/json"
        event.data = JSONValue.object(members).encoded
        return CloudEventJSON.encode(event)
    }

    private var word: String {
        switch self {
        case .published: "published"
        case .subscribed: "subscribed"
        case .unsubscribed: "unsubscribed"
        case .settled: "settled"
        case .refused: "refused"
        case .ended: "ended"
        }
    }

    private var members: [JSONValue.Member] {
        switch self {
        case .published(let request, let receipt):
            [
                .init("request", .string(request)), .init("id", .string("\(receipt.id)")),
                .init("offset", .integer(receipt.offset)), .init("duplicate", .bool(receipt.isDuplicate)),
            ]
        case .subscribed(let request, let subscription, let next, let last):
            [.init("request", .string(request)), .init("subscription", .string(subscription))]
                + (next.map { [.init("next_offset", .integer($0))] } ?? [])
                + (last.map { [.init("last_offset", .integer($0))] } ?? [])
        case .unsubscribed(let request, let subscription):
            [.init("request", .string(request)), .init("subscription", .string(subscription))]
        case .settled(let request, let count):
            [.init("request", .string(request)), .init("count", .integer(Int64(count)))]
        case .refused(let request, let problem): [.init("request", .string(request))] + Self.members(of: problem)
        case .ended(let subscription, let problem):
            [.init("subscription", .string(subscription))] + Self.members(of: problem)
        }
    }

    /// As in a problem body of HTTP.
    private static func members(of problem: GatewayProblem) -> [JSONValue.Member] {
        [
            .init("status", .integer(Int64(problem.status.code))), .init("title", .string(problem.status.reasonPhrase)),
            .init("detail", .string(problem.detail)),
        ] + problem.members.sorted { $0.key < $1.key }.map { .init($0.key, .integer($0.value)) }
            + (problem.retryAfterSeconds.map { [.init("retry_after_seconds", .integer(Int64($0)))] } ?? [])
    }
}
