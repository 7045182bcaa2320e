import HTTPTypes

/// Every operation of the HTTP face: the table that routes, parameters and the OpenAPI document are made from.
enum EventOperation: String, CaseIterable {
    case describe
    case listStreams
    case getStream
    case getStreamSettings
    case putStreamSettings
    case publishEvents
    case readEvents
    case listGroups
    case putGroup
    case deleteGroup
    case receive
    case acknowledge
    case reject
    case extend
    case replay
    case listDeadLetters
    case getDeadLetter
    case editDeadLetter
    case redriveDeadLetters
    case purgeDeadLetters
    case openSocket
    case listProjections
    case getProjection
    case putProjection
    case deleteProjection
    case rebuildProjection
    case listProjectionRows

    var path: String {
        switch self {
        case .describe: "/openapi.json"
        case .listStreams: "/streams"
        case .getStream: "/streams/{stream}"
        case .getStreamSettings, .putStreamSettings: "/api/v1/streams/{stream}/settings"
        case .publishEvents, .readEvents: "/streams/{stream}/events"
        case .replay: "/streams/{stream}/replay"
        case .listGroups: "/streams/{stream}/groups"
        case .putGroup, .deleteGroup: "/streams/{stream}/groups/{group}"
        case .receive: "/streams/{stream}/groups/{group}/receive"
        case .acknowledge: "/streams/{stream}/groups/{group}/ack"
        case .reject: "/streams/{stream}/groups/{group}/nack"
        case .extend: "/streams/{stream}/groups/{group}/extend"
        case .listDeadLetters: "/dead-letters"
        case .getDeadLetter, .editDeadLetter: "/dead-letters/{number}"
        case .redriveDeadLetters: "/dead-letters/redrive"
        case .purgeDeadLetters: "/dead-letters/purge"
        case .openSocket: "/streams/{stream}/socket"
        case .listProjections: "/projections"
        case .getProjection, .putProjection, .deleteProjection: "/projections/{projection}"
        case .rebuildProjection: "/projections/{projection}/rebuild"
        case .listProjectionRows: "/projections/{projection}/rows"
        }
    }

    var method: HTTPRequest.Method {
        switch self {
        case .describe, .listStreams, .getStream, .getStreamSettings, .readEvents, .listGroups, .listDeadLetters,
            .getDeadLetter, .openSocket, .listProjections, .getProjection, .listProjectionRows:
            .get
        case .putStreamSettings, .putGroup, .editDeadLetter, .putProjection: .put
        case .deleteGroup, .deleteProjection: .delete
        case .publishEvents, .receive, .acknowledge, .reject, .extend, .replay, .redriveDeadLetters, .purgeDeadLetters,
            .rebuildProjection:
            .post
        }
    }

    var changesSomething: Bool { method != .get }

    /// The query parameters that it takes; any other is a mistake.
    var query: [EventParameter] {
        switch self {
        case .listStreams: [.after, .limit]
        case .readEvents:
            [.from, .to, .limit, .type, .correlation, .trace, .entity, .since, .until]
        case .listDeadLetters: [.stream, .group, .reason, .since, .until, .after, .limit]
        case .describe, .getStream, .getStreamSettings, .putStreamSettings, .publishEvents, .listGroups, .putGroup,
            .deleteGroup, .receive, .acknowledge, .reject, .extend, .replay, .getDeadLetter, .editDeadLetter,
            .redriveDeadLetters, .purgeDeadLetters,
            .openSocket, .listProjections, .getProjection, .putProjection, .deleteProjection, .rebuildProjection:
            []
        case .listProjectionRows: [.key, .after, .limit]
        }
    }

    var summary: String {
        switch self {
        case .describe: "This document"
        case .listStreams: "Streams with their groups and lag, in the order in which they were made"
        case .getStream: "One stream with its groups and lag"
        case .getStreamSettings: "What a stream does beyond Redis: deduplication, compression, retention"
        case .putStreamSettings: "Change the settings that are given; null sets one back to what it is by itself"
        case .publishEvents: "Append one event or a batch; a repeated (source, id) is answered with the original place"
        case .readEvents: "A range of events as JSON or NDJSON, or followed as an event stream"
        case .listGroups: "Groups of a stream"
        case .putGroup: "Make a group, or change how it redelivers"
        case .deleteGroup: "Delete a group with all it has given out"
        case .receive: "Take events for as long as a lease, waiting for them if there are none"
        case .acknowledge: "Acknowledge events, perhaps publishing others in the same transaction"
        case .reject: "Give events back for another attempt, or for good as dead letters"
        case .extend: "Keep events longer"
        case .replay: "Replay a range to another stream or to a group; progress comes as lines"
        case .listDeadLetters: "Dead letters, the oldest first"
        case .getDeadLetter: "One dead letter"
        case .editDeadLetter: "Replace the event in a dead letter"
        case .redriveDeadLetters: "Give dead letters back to their groups, or say what that would do"
        case .purgeDeadLetters: "Delete dead letters for good"
        case .openSocket:
            "A WebSocket with the subprotocol `cloudevents.json`: publish, subscribe with filters and credit, settle"
        case .listProjections: "Projections: tables that the log keeps of its streams"
        case .getProjection: "One projection, and how far it is"
        case .putProjection: "Define a projection; one that is there and differs begins from nothing"
        case .deleteProjection: "Delete a projection with its table"
        case .rebuildProjection: "Fold a projection anew, from the oldest event that the stream has"
        case .listProjectionRows: "Rows of a projection by key, or one of them"
        }
    }
}

/// A query parameter.
enum EventParameter: String, CaseIterable {
    case from, to, limit, type, correlation, trace, entity, since, until, after, stream, group, reason, key

    var meaning: String {
        switch self {
        case .from:
            "Where to begin: an offset (from 1), an id (`ms-n`), or a version where `entity` is given. As an event "
                + "stream without it, only what comes from now on"
        case .to: "The last one, an offset, an id, or a version"
        case .limit: "The most of them"
        case .type: "Only events of this type"
        case .correlation: "Only events with this correlation id"
        case .trace: "Only events of this trace, 32 hexadecimal digits"
        case .entity: "Only events of this entity"
        case .since: "Only what was appended (or given up) at this time or later: RFC 3339, or milliseconds since 1970"
        case .until: "Only what was appended (or given up) at this time or earlier"
        case .after: "`next` of the answer before this one"
        case .stream: "Only of this stream"
        case .group: "Only of groups with this name"
        case .reason: "Only for this reason"
        case .key: "Only the row with this key"
        }
    }
}
