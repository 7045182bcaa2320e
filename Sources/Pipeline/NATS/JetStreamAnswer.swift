import Wire

/// What the answer to a published message is: JetStream's own, or a reply of the application.
///
/// `{"stream": "S", "seq": 7, "duplicate": true}` or `{"error": {"code": 400, "err_code": 10071, ...}}`.
enum JetStreamAnswer {
    case stored(stream: Range<Int>, sequence: UInt64, isDuplicate: Bool)
    /// The `err_code`, or the `code` where there is none; and whether the server is to blame, which has 5xx for it.
    case refused(code: Range<Int>, isServersFault: Bool)
    /// Nothing that JetStream would say to a publisher.
    case other

    init(_ bytes: Span<UInt8>, _ payload: Range<Int>) {
        self = .other
        guard var members = JSONMembers(bytes, in: payload) else { return }
        var stream: Range<Int>?
        var sequence: UInt64?
        var isDuplicate = false
        var refusal: (code: Range<Int>, isServersFault: Bool)?
        while let member = members.next(bytes) {
            if JSONMembers.isKey(member, bytes, "stream") {
                stream = JSONMembers.text(member, bytes)
            } else if JSONMembers.isKey(member, bytes, "seq") {
                sequence = ASCIIText.unsigned(bytes, in: member.value)
            } else if JSONMembers.isKey(member, bytes, "duplicate") {
                isDuplicate = JSONMembers.isWord(member, bytes, "true")
            } else if JSONMembers.isKey(member, bytes, "error") {
                refusal = JetStreamError.code(bytes, in: member.value)
            }
        }
        guard members.isComplete else { return }
        if let refusal {
            self = .refused(code: refusal.code, isServersFault: refusal.isServersFault)
        } else if let stream, !stream.isEmpty, let sequence {
            self = .stored(stream: stream, sequence: sequence, isDuplicate: isDuplicate)
        }
    }
}

/// The error object of JetStream's answers.
enum JetStreamError {
    /// Digits only: `err_code` where it is given, otherwise `code`.
    static func code(_ bytes: Span<UInt8>, in object: Range<Int>) -> (code: Range<Int>, isServersFault: Bool)? {
        guard var members = JSONMembers(bytes, in: object) else { return nil }
        var code: Range<Int>?
        var isParticular = false
        var isServersFault = false
        while let member = members.next(bytes) {
            guard member.value.count <= 5, let number = ASCIIText.unsigned(bytes, in: member.value) else { continue }
            if JSONMembers.isKey(member, bytes, "err_code") {
                (code, isParticular) = (member.value, true)
            } else if JSONMembers.isKey(member, bytes, "code") {
                isServersFault = number >= 500
                if !isParticular { code = member.value }
            }
        }
        guard members.isComplete, let code else { return nil }
        return (code, isServersFault)
    }
}

/// What a server tells of a consumer, when it was made or asked for.
struct JetStreamConsumerInfo {
    private(set) var stream: Range<Int>?
    private(set) var consumer: Range<Int>?
    private(set) var traits = JetStreamConsumers.Traits(isDurable: false)
    /// The wait for the last delivery, where there is a list of them; it overrules the other.
    private var backoff: UInt64?

    /// Nil when it tells no such thing.
    init?(_ bytes: Span<UInt8>, _ payload: Range<Int>) {
        guard var members = JSONMembers(bytes, in: payload) else { return nil }
        while let member = members.next(bytes) {
            if JSONMembers.isKey(member, bytes, "stream_name") {
                stream = JSONMembers.text(member, bytes)
            } else if JSONMembers.isKey(member, bytes, "name") {
                consumer = JSONMembers.text(member, bytes)
            } else if JSONMembers.isKey(member, bytes, "config"), var config = JSONMembers(bytes, in: member.value) {
                while let setting = config.next(bytes) { note(setting, bytes) }
            }
        }
        guard members.isComplete, stream != nil, consumer != nil else { return nil }
        if let backoff { traits.waitNanoseconds = backoff }
    }

    /// One setting of the consumer.
    private mutating func note(_ setting: JSONMembers.Member, _ bytes: Span<UInt8>) {
        if JSONMembers.isKey(setting, bytes, "durable_name") {
            traits.isDurable = JSONMembers.text(setting, bytes).map { !$0.isEmpty } ?? false
        } else if JSONMembers.isKey(setting, bytes, "ack_policy") {
            traits.needsNoAcknowledgement = JSONMembers.isWord(setting, bytes, "\"none\"")
            traits.acknowledgesAll = JSONMembers.isWord(setting, bytes, "\"all\"")
        } else if JSONMembers.isKey(setting, bytes, "max_deliver") {
            // -1 stands for no limit, and is no number here.
            traits.deliveriesMax = ASCIIText.unsigned(bytes, in: setting.value) ?? 0
        } else if JSONMembers.isKey(setting, bytes, "ack_wait") {
            traits.waitNanoseconds = ASCIIText.unsigned(bytes, in: setting.value) ?? traits.waitNanoseconds
        } else if JSONMembers.isKey(setting, bytes, "backoff") {
            backoff = Self.last(bytes, in: setting.value)
        }
    }

    /// The last number of a list: the wait that applies from there on.
    private static func last(_ bytes: Span<UInt8>, in list: Range<Int>) -> UInt64? {
        guard let first = list.first, bytes[first] == UInt8(ascii: "[") else { return nil }
        var end = list.upperBound - 1
        while end > first, !(0x30...0x39).contains(bytes[end - 1]) { end -= 1 }
        var start = end
        while start > first + 1, (0x30...0x39).contains(bytes[start - 1]) { start -= 1 }
        return ASCIIText.unsigned(bytes, in: start..<end)
    }
}

/// The end of a message's deliveries, as the server tells those who have subscribed to its advisories.
struct JetStreamAdvisory {
    let stream: Range<Int>
    let consumer: Range<Int>
    let sequence: UInt64
    /// It was terminated by its consumer; otherwise it was delivered as often as it may be.
    let isTermination: Bool

    /// Nil for any other subject or text.
    init?(_ bytes: Span<UInt8>, _ subject: Range<Int>, _ payload: Range<Int>) {
        isTermination = ASCIIText.hasPrefix(bytes, in: subject, Self.terminated)
        guard isTermination || ASCIIText.hasPrefix(bytes, in: subject, Self.exhausted),
            var members = JSONMembers(bytes, in: payload)
        else { return nil }
        var found: (stream: Range<Int>?, consumer: Range<Int>?, sequence: UInt64?)
        while let member = members.next(bytes) {
            if JSONMembers.isKey(member, bytes, "stream") {
                found.stream = JSONMembers.text(member, bytes)
            } else if JSONMembers.isKey(member, bytes, "consumer") {
                found.consumer = JSONMembers.text(member, bytes)
            } else if JSONMembers.isKey(member, bytes, "stream_seq") {
                found.sequence = ASCIIText.unsigned(bytes, in: member.value)
            }
        }
        guard members.isComplete, let stream = found.stream, let consumer = found.consumer,
            let sequence = found.sequence
        else { return nil }
        self.stream = stream
        self.consumer = consumer
        self.sequence = sequence
    }

    /// Whether the payload of a message to this subject is worth a look.
    @inline(__always)
    static func isAdvisory(_ bytes: Span<UInt8>, _ subject: Range<Int>) -> Bool {
        ASCIIText.hasPrefix(bytes, in: subject, exhausted) || ASCIIText.hasPrefix(bytes, in: subject, terminated)
    }

    private static let exhausted: StaticString = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES."
    private static let terminated: StaticString = "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED."
}
