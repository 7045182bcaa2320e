/// One event in the hands of a consumer, until its lease ends.
public struct LeasedEvent: Sendable, Hashable {
    /// Its place in the stream.
    public var id: StreamID
    /// Its offset in the stream, from 1.
    public var offset: Int64
    /// The event.
    public var fields: EventFields
    /// When it was appended, in milliseconds of the Unix time.
    public var appendedAtUnixMilliseconds: Int64
    /// How often it was given to a consumer of this group, this time included.
    public var deliveries: Int64
    /// Until when nobody else gets it.
    public var leasedUntilUnixMilliseconds: Int64
    /// Whether a replay gave it to the group once more.
    public var isReplay: Bool
}

/// One attempt of a consumer, as the story of a dead letter tells it.
public struct DeliveryAttempt: Sendable, Hashable {
    /// When it began.
    public var deliveredAtUnixMilliseconds: Int64
    /// When it was given up.
    public var endedAtUnixMilliseconds: Int64
    /// Who had it.
    public var consumer: [UInt8]
    /// What the consumer said, or that its lease ended.
    public var error: String

    /// Longer texts of consumers are cut.
    static let errorBytesMax = 1_024
    /// Stories grow no further than this.
    static let storyBytesMax = 32_768
}

extension DeliveryAttempt {
    /// As the tables keep it: fields, which can be put behind each other.
    var encoded: [UInt8] {
        var fields = EventFields()
        fields.append(name: "delivered".utf8, value: String(deliveredAtUnixMilliseconds).utf8)
        fields.append(name: "ended".utf8, value: String(endedAtUnixMilliseconds).utf8)
        fields.append(name: "consumer".utf8, value: consumer)
        fields.append(name: "error".utf8, value: error.utf8.prefix(Self.errorBytesMax))
        return fields.encoded
    }

    /// The attempts of a story.
    static func story(_ encoded: [UInt8]) -> [DeliveryAttempt] {
        guard let fields = EventFields(encoded: encoded) else { return [] }
        let values = fields.pairs.map(\.value)
        return stride(from: 0, to: values.count - 3, by: 4).map { index in
            DeliveryAttempt(
                deliveredAtUnixMilliseconds: Int64(String(decoding: values[index], as: UTF8.self)) ?? 0,
                endedAtUnixMilliseconds: Int64(String(decoding: values[index + 1], as: UTF8.self)) ?? 0,
                consumer: values[index + 2], error: String(decoding: values[index + 3], as: UTF8.self))
        }
    }
}

/// Why an event became a dead letter.
public enum DeadLetterReason: String, Sendable, Hashable, CaseIterable {
    /// Its attempts were used up.
    case deliveriesExhausted = "deliveries_exhausted"
    /// A consumer said that it is of no use to try again.
    case rejected
}

/// An event that a group has given up, with the whole story. A copy: it stays when its stream is trimmed.
public struct DeadLetter: Sendable, Hashable {
    /// Counts all dead letters of the log.
    public var number: Int64
    /// Where it came from.
    public var stream: [UInt8]
    /// Who gave it up.
    public var group: [UInt8]
    /// Its place in the stream.
    public var id: StreamID
    /// The event, perhaps edited since.
    public var fields: EventFields
    /// Whether it was edited.
    public var isEdited: Bool
    /// Why.
    public var reason: DeadLetterReason
    /// What the last consumer said.
    public var error: String
    /// How often it was tried.
    public var deliveries: Int64
    /// When it was given up, in milliseconds of the Unix time.
    public var deadAtUnixMilliseconds: Int64
    /// The attempts.
    public var attempts: [DeliveryAttempt]

    /// The trace id that the event says it belongs to.
    public var traceID: String? {
        EventKey.traceID.value(in: fields).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Which dead letters are meant.
public struct DeadLetterFilter: Sendable, Hashable {
    /// Only of this stream.
    public var stream: [UInt8]?
    /// Only of groups with this name.
    public var group: [UInt8]?
    /// Only for this reason.
    public var reason: DeadLetterReason?
    /// Only those that were given up in this time, in milliseconds of the Unix time.
    public var deadAt: ClosedRange<Int64>?
    /// Only these.
    public var numbers: [Int64]?

    /// All of them.
    public init(
        stream: [UInt8]? = nil, group: [UInt8]? = nil, reason: DeadLetterReason? = nil,
        deadAt: ClosedRange<Int64>? = nil, numbers: [Int64]? = nil
    ) {
        self.stream = stream
        self.group = group
        self.reason = reason
        self.deadAt = deadAt
        self.numbers = numbers
    }

    /// Whether a dead letter is meant.
    public func matches(_ letter: DeadLetter) -> Bool {
        stream.map { $0 == letter.stream } ?? true && group.map { $0 == letter.group } ?? true
            && reason.map { $0 == letter.reason } ?? true
            && deadAt.map { $0.contains(letter.deadAtUnixMilliseconds) } ?? true
            && numbers.map { $0.contains(letter.number) } ?? true
    }
}

/// What a redrive did, or would do.
public struct RedriveReport: Sendable, Hashable {
    /// Given back to their group, as they are still in their stream.
    public var returned: Int
    /// Appended anew: they were edited, or are gone from their stream.
    public var appended: Int
    /// Left as they are: there is no such stream or group any more.
    public var skipped: Int
}

/// What became of events that were given back.
public struct Rejection: Sendable, Hashable {
    /// How many were in the group's hands.
    public var count = 0
    /// Those of them that had no attempt left, and are dead letters.
    public var exhausted: [StreamID] = []
}
