import EventLog
import Gateway
import HTTPTypes
import Hummingbird
import Wire

/// Streams and groups: looking at them, making and deleting groups.
extension EventRequest {
    func listStreams() async throws -> Response {
        let cursor = try number(.after, in: 0...Int64.max) ?? 0
        let limit = try limit(default: 100)
        let (streams, next) = try await desk.value {
            desk.log.overviews(after: cursor, limit: limit, now: now, answer: $0)
        }
        return EventAnswer.json(
            EventAnswer.object(["streams": .array(streams.map(EventAnswer.stream)), "next": EventAnswer.number(next)]))
    }

    func getStream() async throws -> Response { EventAnswer.json(EventAnswer.stream(try await overview())) }

    func listGroups() async throws -> Response {
        let groups = try await overview().groups
        return EventAnswer.json(EventAnswer.object(["groups": .array(groups.map(EventAnswer.group))]))
    }

    func overview() async throws -> StreamOverview {
        let stream = try stream()
        guard let overview = try await desk.value({ desk.log.overview(of: stream, now: now, answer: $0) }) else {
            throw GatewayProblem.noStream
        }
        return overview
    }

    /// Makes the group, and its stream if need be. One that is there keeps its position and takes the policy.
    func putGroup() async throws -> Response {
        let group = try group()
        let wanted = try await object("from", "lease_milliseconds", "backoff", "max_deliveries")
        let start = try groupStart(wanted)
        let policy = try leasePolicy(wanted)
        let creation = StreamGroupCreation(key: group.stream, group: group.group, start: start, createsStream: true)
        let reply = try await perform(.createGroup(creation))
        let isNew: Bool
        switch reply {
        case .done: isNew = true
        case .failed(.groupExists): isNew = false
        case .failed(let error): throw GatewayProblem(error)
        default: isNew = false
        }
        if let policy {
            let found = try await desk.value { desk.log.setPolicy(policy, of: group, now: now, answer: $0) }
            guard found else { throw GatewayProblem.noGroup }
        }
        let overview = try await desk.value { desk.log.overview(of: group.stream, now: now, answer: $0) }
        guard let made = overview?.groups.first(where: { $0.info.name == group.group }) else {
            throw GatewayProblem.noGroup
        }
        return EventAnswer.json(EventAnswer.group(made), isNew ? .created : .ok)
    }

    func deleteGroup() async throws -> Response {
        let group = try group()
        guard case .count(1) = try await perform(.destroyGroup(key: group.stream, group: group.group)) else {
            throw GatewayProblem.noGroup
        }
        return Response(status: .noContent)
    }

    private func groupStart(_ wanted: JSONMembersReader) throws(GatewayProblem) -> GroupStart {
        switch try wanted.text("from") ?? "first" {
        case "first": return .after(.zero)
        case "last": return .last
        case let text:
            guard let id = StreamID(text: text) else {
                throw .badQuery("from: expected first, last, or the id behind which the group begins")
            }
            return .after(id)
        }
    }

    private static let dayMilliseconds: Int64 = 86_400_000
    private static let delaysMax = 64

    /// Nil when nothing is said of it: what is not said has its usual value.
    private func leasePolicy(_ wanted: JSONMembersReader) throws(GatewayProblem) -> LeasePolicy? {
        guard ["lease_milliseconds", "backoff", "max_deliveries"].contains(where: wanted.names) else { return nil }
        var policy = LeasePolicy()
        if let lease = try wanted.number("lease_milliseconds", in: 1...Self.dayMilliseconds) {
            policy.leaseMilliseconds = lease
        }
        if wanted.names("max_deliveries") {
            policy.deliveriesMax = try wanted.number("max_deliveries", in: 1...1_000_000)
        }
        switch wanted["backoff"] {
        case nil: break
        case .array:
            let range = 0...Self.dayMilliseconds
            policy.backoff = .list(try wanted.numbers("backoff", in: range, atMost: Self.delaysMax) ?? [])
        default:
            let parts = try wanted.object("backoff", known: "first_milliseconds", "factor", "max_milliseconds")
            policy.backoff = .exponential(
                first: try parts?.number("first_milliseconds", in: 0...Self.dayMilliseconds) ?? 1_000,
                factor: try parts?.decimal("factor", in: 1...1_000) ?? 2,
                max: try parts?.number("max_milliseconds", in: 0...Self.dayMilliseconds) ?? 60_000)
        }
        return policy
    }

    /// One stream command.
    private func perform(_ command: StreamCommand) async throws(GatewayProblem) -> StreamReply {
        try await desk.value { desk.perform(command, now: now, $0) }
    }
}
