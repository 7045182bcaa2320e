/// What one attempt to post a request came to, as the transport saw it.
package enum ExportAnswer: Sendable, Equatable {
    /// A complete response. `retryAfterSeconds` is 0 when the header was absent or of no use; an HTTP-date has been
    /// turned into seconds from now.
    case response(status: Int, retryAfterSeconds: Int, contentType: String?, body: [UInt8])
    /// The response exceeded `ExportConfiguration.responseBytesLimit`.
    case oversizeResponse(status: Int)
    /// No complete response came.
    case failure(TransportFailure, detail: String)
}

/// Why no response came: a closed set, so it may label a metric.
public enum TransportFailure: String, Sendable, CaseIterable {
    /// The name did not resolve, or nobody listens there.
    case connect
    case timeout
    /// The connection ended without a response, or in the middle of one.
    case closed
    case tls
    /// The address cannot be used at all; the one failure that another attempt cannot cure.
    case address
    /// The drain ran out of time during the request.
    case interrupted
    case other
}

/// What an answer means for the spans of the request.
package enum ExportVerdict: Sendable, Equatable {
    /// The request was taken; `rejected` spans of it are lost. A message beside no rejected span is a warning.
    case accepted(rejected: Int, message: String)
    /// Worth another attempt, not before `retryAfterSeconds` if that is above 0.
    case retryable(ExportFailureKind, retryAfterSeconds: Int, message: String)
    case permanent(ExportFailureKind, message: String)
}

/// A class of failure: a closed set of log and metric labels.
public enum ExportFailureKind: Sendable, Hashable, CustomStringConvertible {
    case transport(TransportFailure)
    /// An HTTP status other than success.
    case status(Int)
    case oversizeResponse

    /// `http_503`, or the name of the failure.
    public var description: String {
        switch self {
        case .transport(let failure): failure.rawValue
        case .status(let status): "http_\(status)"
        case .oversizeResponse: "oversize_response"
        }
    }
}

extension ExportVerdict {
    /// Reads an answer by the rules of the OTLP specification, section "OTLP/HTTP Response", for `spanCount` spans.
    package init(_ answer: ExportAnswer, spanCount: Int) {
        switch answer {
        case .failure(.address, let detail):
            self = .permanent(.transport(.address), message: detail)
        case .failure(let failure, let detail):
            self = .retryable(.transport(failure), retryAfterSeconds: 0, message: detail)
        case .oversizeResponse:
            self = .permanent(.oversizeResponse, message: "the response is larger than 4 MiB")
        case .response(let status, let retryAfter, let contentType, let body):
            switch status {
            case 200...299:
                let partial = ResponseBody.partialSuccess(body, contentType: contentType)
                self = .accepted(rejected: min(max(partial.rejectedSpans, 0), spanCount), message: partial.message)
            case 429, 502, 503, 504:
                self = .retryable(
                    .status(status), retryAfterSeconds: retryAfter,
                    message: ResponseBody.errorMessage(body, contentType: contentType))
            default:
                self = .permanent(
                    .status(status), message: ResponseBody.errorMessage(body, contentType: contentType))
            }
        }
    }
}
