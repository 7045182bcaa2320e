import EventLog
import Gateway
import HTTPTypes
import Wire

extension GatewayProblem {
    /// What an error of the log means for whoever asked by HTTP.
    init(_ error: LogError) {
        switch error {
        case .saturated:
            self.init(status: .tooManyRequests, detail: error.description, retryAfterSeconds: 1)
        case .diskFull: self.init(status: .insufficientStorage, detail: error.description)
        case .closed: self.init(status: .serviceUnavailable, detail: error.description, retryAfterSeconds: 1)
        case .directoryUnusable, .alreadyOpen, .corrupt, .chainBroken, .newerSchema, .inputOutput:
            // The text names paths of this machine: the log file tells them, not a client.
            self.init(status: .serviceUnavailable, detail: "the event log cannot do this now; see the log of tacho")
        }
    }

    /// What it means that the log refused a command of a stream.
    init(_ error: StreamError) {
        let detail = if case .unavailable(let reason) = error { reason } else { error.message }
        self.init(status: .serviceUnavailable, detail: detail)
    }

    /// Beyond the rate.
    static func tooManyEvents(retryAfterSeconds seconds: Int) -> GatewayProblem {
        GatewayProblem(
            status: .tooManyRequests,
            detail: "more events per second than are taken here (http.limits.events_per_second)",
            retryAfterSeconds: seconds)
    }

    /// Something is not a CloudEvent.
    init(_ error: CloudEventError) {
        switch error.code {
        case .unsupportedFormat: self.init(status: .unsupportedMediaType, detail: error.description)
        case .tooManyEvents: self.init(status: .contentTooLarge, detail: error.description)
        case .malformedJSON, .unsupportedVersion, .missing, .badValue, .badName, .duplicate, .tooManyAttributes,
            .attributeTooLong, .twoPayloads:
            self.init(status: .badRequest, detail: error.description)
        }
    }
}

extension PublicationOutcome {
    /// Where the events went, or why they did not.
    func appended() throws(GatewayProblem) -> (events: [AppendedEvent], version: Int64?) {
        switch self {
        case .published(let appended, let version): return (appended, version)
        case .conflict(let expected, let actual):
            var members = ["actual_version": actual]
            if case .exactly(let version) = expected { members["expected_version"] = version }
            throw GatewayProblem(
                status: .conflict,
                detail:
                    "the version is \(actual), and \(expected.words) was expected; read what is new and decide again",
                members: members)
        case .notHeld(let ids):
            throw GatewayProblem(
                status: .conflict,
                detail:
                    "nothing was acknowledged and nothing published: \(ids.count) of the events are no longer in these "
                    + "hands, \(ids[0]) first", members: ["not_held": Int64(ids.count)])
        case .noGroup: throw .noGroup
        case .refused(let error): throw GatewayProblem(error)
        }
    }
}

extension ExpectedVersion {
    fileprivate var words: String {
        switch self {
        case .any: "any"
        case .none: "none yet"
        case .exists: "any that exists"
        case .exactly(let version): "\(version)"
        }
    }
}

extension LogError {
    /// The `error.type` of spans.
    var type: String {
        switch self {
        case .saturated: "saturated"
        case .diskFull: "disk_full"
        case .closed: "closed"
        case .corrupt, .chainBroken: "corrupt"
        case .directoryUnusable, .alreadyOpen, .newerSchema, .inputOutput: "unavailable"
        }
    }
}

extension HTTPResponse.Status {
    /// 507 (RFC 4918, section 11.5).
    static let insufficientStorage = HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
}
