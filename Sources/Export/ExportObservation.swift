/// One attempt to post a request, for metrics.
public struct ExportObservation: Sendable, Equatable {
    /// How it ended.
    public var outcome: ExportOutcome
    /// From the first byte out to the answer.
    public var durationNanoseconds: UInt64
    /// The spans of the request.
    public var spans: Int
    /// The body as sent, after compression.
    public var bytes: Int
}

/// How an attempt ended.
public enum ExportOutcome: Sendable, Hashable {
    case accepted
    /// Accepted, but not all of its spans.
    case partiallyAccepted
    /// Failed, and will be repeated.
    case retried(ExportFailureKind)
    /// Failed for good.
    case failed(ExportFailureKind)

    /// A label value from a small set: `ok`, `partial`, or the kind of failure.
    public var label: String {
        switch self {
        case .accepted: "ok"
        case .partiallyAccepted: "partial"
        case .retried(let kind), .failed(let kind): kind.description
        }
    }
}
