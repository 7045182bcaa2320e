import EventLog
import Gateway
import HTTPTypes
import Wire

extension GatewayProblem {
    /// What an error of the log means for whoever asked by HTTP.
    init(_ error: LogError) {
        switch error {
        case .saturated: self = .saturated(error.description)
        case .diskFull: self.init(status: .insufficientStorage, detail: error.description)
        case .closed: self.init(status: .serviceUnavailable, detail: error.description, retryAfterSeconds: 1)
        case .directoryUnusable, .alreadyOpen, .corrupt, .chainBroken, .newerSchema, .inputOutput:
            // The text names paths of this machine: the log file tells them, not a client.
            self.init(status: .serviceUnavailable, detail: "the event log cannot do this now; see the log of tacho")
        }
    }

    /// The same where only the text has come through.
    init(unavailable reason: String) {
        let isSaturated = reason.contains("is saturated")
        self = isSaturated ? .saturated(reason) : GatewayProblem(status: .serviceUnavailable, detail: reason)
    }

    private static func saturated(_ detail: String) -> GatewayProblem {
        GatewayProblem(status: .tooManyRequests, detail: detail, retryAfterSeconds: 1)
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
