import NIOCore
import Resilience
import Telemetry
import Wire

/// Spooled messages to streams of JetStream, once: every publish carries a `Nats-Msg-Id`, and the acknowledgement of each
/// is awaited before the next.
///
/// JetStream knows the ids of the last minutes (`duplicate_window`) and answers a second attempt with `duplicate`. For all
/// the time before that there is a look. Before the first message of a batch is sent, the last sequence of its subject is
/// asked for and noted on disk: what was sent later is found behind it. After a crash, or an answer that was lost, the
/// messages of the subject behind that sequence are gone through, and whichever is ours is not sent again. Where the
/// sidecar may not look, only the ids are left, and the outcome `unverified` says so.
struct NATSSpoolDelivery: SpoolDelivery {
    let batchMessages = 32
    let signsInFirst = true
    private var exchange: NATSExchange
    private var question = Question.none
    private var current: Current?
    /// Nothing of ours of this batch lies behind it in the stream, but for what is in doubt.
    private var position: UInt64?
    /// The end of the subject has to be looked at first.
    private var needsLook = true
    /// Messages up to this sequence may be ours.
    private var doubtfulThrough: UInt64?
    /// Going through the subject: the next sequence to be looked at, for the current message.
    private var cursor: UInt64 = 0
    private var lookedAt = 0
    /// Whether the server lets us look, as far as we know.
    private var mayLook = true
    private var isUnverified = false

    /// Going through more messages of others than this takes too long.
    private static let lookedAtMax = 100_000
    private static let unavailable = CallResult.failed(.unavailable)
    /// What JetStream calls a mistake of the publisher's, and is a want of room: resource limits of the account.
    private static let conditions: Set<String> = ["10002"]
    private static let noMessage = "10037"

    private enum Question {
        case none
        /// The last message of the subject.
        case end
        /// The next message of the subject.
        case step
        case publish
    }

    private struct Current {
        var message: SpooledMessage
        var publish: SpooledPublish
        var messageID: [UInt8]
    }

    init(credentials: OutboundCredentials?, upstreamTLS: SessionTLS.Beginning, random: UInt64) {
        exchange = NATSExchange(credentials: credentials, upstreamTLS: upstreamTLS, random: random)
    }

    var deadline: UInt64? { exchange.deadline }

    var isInDoubt: Bool { position != nil && (needsLook || doubtfulThrough != nil) }

    mutating func opened(until deadline: UInt64) -> SpoolProgress {
        exchange.reset(until: deadline)
        mayLook = true
        return SpoolProgress(.waits)
    }

    mutating func closed() {
        exchange.reset(until: nil)
        question = .none
        needsLook = true
    }

    mutating func loaded() {
        position = nil
        doubtfulThrough = nil
        needsLook = true
        isUnverified = false
    }

    mutating func deliver(_ message: SpooledMessage, _ key: SpoolKey, until deadline: UInt64) -> SpoolProgress {
        guard case .nats(let publish) = message.content else {
            return SpoolProgress(.refused("a message of another protocol"))
        }
        guard publish.payloadBytes <= exchange.payloadMax else {
            return SpoolProgress(
                .refused("\(publish.payloadBytes) bytes are more than the server takes (\(exchange.payloadMax))"))
        }
        current = Current(message: message, publish: publish, messageID: publish.messageID)
        if needsLook {
            guard mayLook else { return deliverUnseen(until: deadline) }
            return look(#"{"last_by_subj":"#, publish, .end, until: deadline)
        }
        if doubtfulThrough != nil { return beginGoingThrough(publish, until: deadline) }
        return send(publish, until: deadline)
    }

    mutating func received(_ bytes: ByteBuffer, until deadline: UInt64) -> SpoolProgress {
        let heard = exchange.take(bytes)
        var progress: SpoolProgress
        switch heard.event {
        case .none: progress = SpoolProgress(.waits)
        case .isReady: progress = SpoolProgress(.isReady)
        case .broken(let reason): progress = SpoolProgress(.broken(.connection, reason))
        case .complaint(let reason): progress = complained(reason, until: deadline)
        case .answer(let reply): progress = take(reply, until: deadline)
        }
        progress.bytes = heard.bytes + progress.bytes
        progress.startsTLS = heard.startsTLS
        return progress
    }

    // MARK: Publishing

    private mutating func send(_ publish: SpooledPublish, until deadline: UInt64) -> SpoolProgress {
        question = .publish
        return .asking(publish.operation(reply: exchange.nextReply(until: deadline)))
    }

    private mutating func take(_ reply: NATSReply, until deadline: UInt64) -> SpoolProgress {
        let question = question
        self.question = .none
        guard let current else { return SpoolProgress(.waits) }
        switch question {
        case .none: return SpoolProgress(.waits)
        case .end, .step: return looked(reply, question, current.publish, until: deadline)
        case .publish: break
        }
        let code: Range<Int>
        switch JetStreamAnswer(reply.body.span, 0..<reply.body.count) {
        case .stored(_, let sequence, let isDuplicate):
            return arrived(isDuplicate ? .alreadyThere : isUnverified ? .unverified : .forwarded, sequence)
        case .refused(let digits, let isServersFault):
            let number = String(decoding: reply.body[digits], as: UTF8.self)
            guard !isServersFault, !Self.conditions.contains(number) else {
                return SpoolProgress(
                    .failed(.unavailable, "JetStream cannot take messages: error \(number)"), result: Self.unavailable)
            }
            code = digits
        case .other:
            let reason =
                reply.status == 503
                ? "no stream takes messages of this subject, or JetStream is away"
                : "somebody who is not JetStream answers on this subject"
            return SpoolProgress(.failed(.unavailable, reason), result: Self.unavailable)
        }
        return SpoolProgress(.refused("JetStream error " + String(decoding: reply.body[code], as: UTF8.self)))
    }

    private mutating func arrived(_ outcome: SpoolForwarding, _ sequence: UInt64) -> SpoolProgress {
        guard let current else { return SpoolProgress(.waits) }
        position = max(position ?? 0, sequence)
        return SpoolProgress(
            .delivered(
                SpoolArrival(
                    outcome: outcome, messageID: .sequence(sequence),
                    promised: current.message.promise)), result: .succeeded)
    }

    // MARK: Looking

    private mutating func look(
        _ words: String, _ publish: SpooledPublish, _ question: Question, until deadline: UInt64
    ) -> SpoolProgress {
        self.question = question
        var request = Array(words.utf8)
        JSONText.append(publish.subject, to: &request)
        request.append(UInt8(ascii: "}"))
        let subject = publish.stream.apiPrefix + Array("STREAM.MSG.GET.".utf8) + publish.stream.stream
        return .asking(exchange.request(subject, request, until: deadline))
    }

    private mutating func beginGoingThrough(_ publish: SpooledPublish, until deadline: UInt64) -> SpoolProgress {
        (cursor, lookedAt) = ((position ?? 0) &+ 1, 0)
        return goThrough(publish, until: deadline)
    }

    /// The next message of the subject, as long as one may be ours.
    private mutating func goThrough(_ publish: SpooledPublish, until deadline: UInt64) -> SpoolProgress {
        guard let last = doubtfulThrough, cursor <= last, lookedAt < Self.lookedAtMax else {
            // Order was kept, so if this one was not sent, none behind it was.
            isUnverified = lookedAt >= Self.lookedAtMax
            doubtfulThrough = nil
            return send(publish, until: deadline)
        }
        lookedAt += 1
        return look(#"{"seq":\#(cursor),"next_by_subj":"#, publish, .step, until: deadline)
    }

    private mutating func looked(
        _ reply: NATSReply, _ question: Question, _ publish: SpooledPublish, until deadline: UInt64
    ) -> SpoolProgress {
        let found = JetStreamStoredMessage(reply.body)
        if let error = found.error, error != Self.noMessage {
            return SpoolProgress(
                .failed(
                    .unavailable,
                    "stream \(String(decoding: publish.stream.stream, as: UTF8.self)) cannot be looked at: error \(error)"
                ),
                result: Self.unavailable)
        }
        guard found.error != nil || found.sequence != nil else {
            return SpoolProgress(
                .failed(.unavailable, "JetStream does not answer (status \(reply.status))"), result: Self.unavailable)
        }
        guard case .step = question else { return foundEnd(found.sequence ?? 0, publish, until: deadline) }
        guard let sequence = found.sequence, let last = doubtfulThrough, sequence <= last else {
            cursor = .max
            return goThrough(publish, until: deadline)
        }
        if let id = current?.messageID, found.messageID == id {
            return arrived(.alreadyThere, sequence)
        }
        cursor = sequence &+ 1
        return goThrough(publish, until: deadline)
    }

    private mutating func foundEnd(
        _ end: UInt64, _ publish: SpooledPublish, until deadline: UInt64
    ) -> SpoolProgress {
        needsLook = false
        guard let known = position ?? current?.message.note?.sequence else {
            position = end
            return SpoolProgress(.note(StreamEntryID(milliseconds: 0, sequence: end)))
        }
        position = known
        guard end > known else { return send(publish, until: deadline) }
        doubtfulThrough = end
        return beginGoingThrough(publish, until: deadline)
    }

    /// The server does not let something through: the message, or only our question.
    private mutating func complained(_ reason: String, until deadline: UInt64) -> SpoolProgress {
        let question = question
        self.question = .none
        switch question {
        case .none: return SpoolProgress(.waits)
        case .publish: return SpoolProgress(.failed(.unavailable, "the server says: \(reason)"), result: .mistake)
        case .end, .step:
            mayLook = false
            return deliverUnseen(until: deadline)
        }
    }

    /// The ids alone have to do.
    private mutating func deliverUnseen(until deadline: UInt64) -> SpoolProgress {
        guard let current else { return SpoolProgress(.waits) }
        needsLook = false
        doubtfulThrough = nil
        guard position != nil || current.message.note != nil else {
            // So that a crash leaves a trace.
            position = 0
            return SpoolProgress(.note(StreamEntryID(milliseconds: 0, sequence: 0)))
        }
        isUnverified = true
        position = position ?? 0
        return send(current.publish, until: deadline)
    }
}

/// The answer to a look at a stream: one message, or an error.
struct JetStreamStoredMessage {
    private(set) var sequence: UInt64?
    /// The value of `Nats-Msg-Id`; nil without one.
    private(set) var messageID: [UInt8]?
    /// The `err_code`, or the `code` where there is none.
    private(set) var error: String?

    init(_ body: [UInt8]) {
        let bytes = body.span
        guard var members = JSONMembers(bytes, in: 0..<body.count) else { return }
        while let member = members.next(bytes) {
            if JSONMembers.isKey(member, bytes, "error") {
                error = JetStreamError.code(bytes, in: member.value).map {
                    String(decoding: body[$0.code], as: UTF8.self)
                }
            } else if JSONMembers.isKey(member, bytes, "message"),
                var fields = JSONMembers(bytes, in: member.value)
            {
                while let field = fields.next(bytes) {
                    if JSONMembers.isKey(field, bytes, "seq") {
                        sequence = ASCIIText.unsigned(bytes, in: field.value)
                    } else if JSONMembers.isKey(field, bytes, "hdrs"), let text = JSONMembers.text(field, bytes) {
                        messageID = Base64.decode(body[text]).flatMap { SpooledPublish.messageID($0) }
                    }
                }
            }
        }
    }
}
