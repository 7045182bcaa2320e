/// Why a trace was kept: `sampling.reason` on its spans and `reason` of `tacho_spans_kept_total`.
public enum KeepReason: UInt8, Sendable, Hashable, CaseIterable {
    /// The sampler decided by the trace's randomness. Only such traces may carry `ot=th`.
    case probability
    /// A context that came with the message said so.
    case parent
    /// An operation failed.
    case error
    /// The message took longer than 99 % of those of its destination.
    case slow
    /// The message was delivered again before it was acknowledged.
    case redelivery
    /// The message was put where messages go that nobody could process.
    case deadLetter

    /// The word in attributes, labels and settings.
    public var text: String {
        switch self {
        case .probability: "probability"
        case .parent: "parent"
        case .error: "error"
        case .slow: "slow"
        case .redelivery: "redelivery"
        case .deadLetter: "dead_letter"
        }
    }
}

/// The rules that keep a trace although the sampler would not (`sampling.always`).
public struct KeepRules: OptionSet, Sendable, Hashable {
    /// One bit per `KeepReason`, at the place of its raw value.
    public let rawValue: UInt8

    /// The rules with these bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The rules behind these reasons; `probability` and `parent` are not rules.
    public init(_ reasons: some Sequence<KeepReason>) {
        self.init(rawValue: reasons.reduce(0) { $0 | 1 << $1.rawValue } & Self.all.rawValue)
    }

    /// Every rule there is.
    public static let all: KeepRules = [.error, .slow, .redelivery, .deadLetter]
    /// Operations that failed.
    public static let error = KeepRules(rawValue: 1 << KeepReason.error.rawValue)
    /// Messages beyond the destination's 99th percentile.
    public static let slow = KeepRules(rawValue: 1 << KeepReason.slow.rawValue)
    /// Messages that are delivered again.
    public static let redelivery = KeepRules(rawValue: 1 << KeepReason.redelivery.rawValue)
    /// Messages that go to a dead-letter destination.
    public static let deadLetter = KeepRules(rawValue: 1 << KeepReason.deadLetter.rawValue)

    /// Whether this reason keeps a trace.
    @inlinable @inline(__always)
    public func contains(_ reason: KeepReason) -> Bool { rawValue & 1 << reason.rawValue != 0 }
}

/// Recognises destinations for messages that could not be processed, by the names that people give them.
public enum DeadLetterName {
    private static let words: Set<Substring> = ["dlq", "dlx", "dlt", "deadletter", "deadletters", "parking"]

    /// Whether one of the name's words, which `.`, `:`, `-`, `_`, `/` or a blank separate, says dead letter.
    public static func matches(_ name: String) -> Bool {
        let parts = name.lowercased().split { ".:-_/ ".contains($0) }
        if parts.contains(where: words.contains) { return true }
        return zip(parts, parts.dropFirst()).contains { $0 == "dead" && ($1 == "letter" || $1 == "letters") }
    }
}
