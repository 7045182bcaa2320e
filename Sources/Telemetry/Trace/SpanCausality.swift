/// How the parent of a span was found, where no context told it: the rule (`tacho.causality`) and how sure it is
/// (`tacho.causality.confidence`). One byte, because it lies in every span record.
public enum SpanCausality: UInt8, Sendable, Hashable, CaseIterable {
    /// Not inferred.
    case none
    /// The connection held the message, and nothing else was possible.
    case connectionCertain
    case connectionLikely
    /// Another connection of the same client held the message.
    case processLikely
    /// The published message names the message by its id or its correlation id.
    case contentLikely
    /// One transaction settled the message and published the other.
    case transactionCertain

    /// The value of `tacho.causality`; empty when nothing was inferred.
    public var rule: String {
        switch self {
        case .none: ""
        case .connectionCertain, .connectionLikely: "connection"
        case .processLikely: "process"
        case .contentLikely: "content"
        case .transactionCertain: "transaction"
        }
    }

    /// The value of `tacho.causality.confidence`; empty when nothing was inferred.
    public var confidence: String {
        switch self {
        case .none: ""
        case .connectionCertain, .transactionCertain: "certain"
        case .connectionLikely, .processLikely, .contentLikely: "likely"
        }
    }
}
