import NIOCore
import Resilience
import Telemetry
import Wire

/// Publishes to JetStream that are stored on disk instead of being refused, and sent on later.
///
/// The publisher gets an acknowledgement when the disk has its message. It names the stream, which some clients compare,
/// with the domain `tacho-spool`, and a sequence of the spool's own that no stream comes to. Answers need no order on NATS,
/// so nothing else waits meanwhile. What cannot be promised is refused: what the stream decides by its own state
/// (`Nats-Expected-*`, batches, counters), and what is not known to be stored by a stream.
extension NATSSession {
    /// What a session knows for the sake of the spool.
    struct Spooling {
        /// Who publishes, as CONNECT says.
        var identity: [UInt8] = []
        var identityHash: UInt64 = 0
        /// The server has taken the client in.
        var isAccepted = false
        /// Subjects whose stream the next answer may tell, by hash of the reply subject.
        var learning: [UInt64: [UInt8]] = [:]
        /// The message that is being read is to be stored: the stream that it is for.
        var arriving: JetStreamName?
        /// On their way to the disk, the oldest first.
        var underWay = KeyedQueue<UInt64, StoredPublish>()
        var lastNumber: UInt64 = 0
    }

    /// A publish that is on its way to the disk.
    struct StoredPublish {
        var open: OpenSend
        var ticket: SpoolTicket
        var stream: JetStreamName
        var subject: [UInt8]
        /// Where the answer goes; empty where nobody waits for one.
        var reply: [UInt8]
        /// By which subscription; nil where nobody waits.
        var inbox: UInt64?
        /// On the monotonic clock.
        var deadline: UInt64
    }

    private static let learningMax = 1_024

    // MARK: What is known

    /// Notes who the client says it is.
    mutating func noteIdentity(_ bytes: Span<UInt8>, in text: Range<Int>) {
        guard listener.spools, var members = JSONMembers(bytes, in: text) else { return }
        spooling.isAccepted = false
        spooling.identity = []
        while let member = members.next(bytes) {
            guard
                JSONMembers.isKey(member, bytes, "user") || JSONMembers.isKey(member, bytes, "jwt")
                    || JSONMembers.isKey(member, bytes, "nkey") || JSONMembers.isKey(member, bytes, "auth_token")
            else { continue }
            spooling.identity += Array(copying: bytes, member.whole) + [0]
        }
        spooling.identityHash = ByteHash.hash(spooling.identity.span, 0..<spooling.identity.count)
    }

    /// The answer at hand may tell the stream of a subject, and is to be read for that.
    mutating func learnStream(
        of destination: Destination, _ bytes: Span<UInt8>, _ subject: Range<Int>, reply: UInt64
    ) {
        guard !counters.acknowledged.contains(destination.hash ^ spooling.identityHash) else { return }
        if spooling.learning.count >= Self.learningMax { spooling.learning.removeAll() }
        spooling.learning[reply] = Array(copying: bytes, subject)
    }

    /// An answer has come. If JetStream has stored the message, the stream of its subject is known from now on.
    mutating func learn(from question: NATSAwaited.Question, _ reply: UInt64, _ bytes: Span<UInt8>, _ body: Range<Int>)
    {
        guard let subject = spooling.learning.removeValue(forKey: reply), case .send(let open) = question.answer,
            case .stored(let stream, _, _) = JetStreamAnswer(bytes, body)
        else { return }
        var name = JetStreamName(stream: Array(copying: bytes, stream))
        var members = JSONMembers(bytes, in: body)
        while let member = members?.next(bytes) {
            if JSONMembers.isKey(member, bytes, "domain"), let text = JSONMembers.text(member, bytes) {
                name.domain = Array(copying: bytes, text)
            }
        }
        // No such name has anything that a text in JSON escapes.
        guard !(name.stream + name.domain).contains(UInt8(ascii: "\\")) else { return }
        lane.shared.spool?.subjects.note(key(subject), name)
        counters.acknowledged.note(open.destination.hash ^ spooling.identityHash)
    }

    private func key(_ subject: [UInt8]) -> JetStreamSubjects.Key {
        JetStreamSubjects.Key(listener: listener.number, identity: spooling.identity, subject: subject)
    }

    // MARK: Whether to store

    /// Whether messages to this subject wait on disk, so that this one has to queue behind them, and for which stream.
    func streamToQueueFor(_ bytes: Span<UInt8>, _ subject: Range<Int>) -> JetStreamName? {
        guard listener.spools, let spool = lane.shared.spool, !spool.isEmpty else { return nil }
        let subject = Array(copying: bytes, subject)
        guard spool.isQueueing(SpoolKey(listener: listener.name, stream: subject)) else { return nil }
        return spooling.isAccepted ? spool.subjects.name(key(subject)) : nil
    }

    /// The stream of a message that may not pass; nil where none is known, or nothing is stored.
    func streamToSpoolFor(_ bytes: Span<UInt8>, _ subject: Range<Int>) -> JetStreamName? {
        guard listener.spools, spooling.isAccepted, let spool = lane.shared.spool else { return nil }
        let subject = Array(copying: bytes, subject)
        guard listener.fallback.plan(for: subject).contains(.spool) else { return nil }
        let name = spool.subjects.name(key(subject))
        if name == nil { lane.countNotSpooled("not_spoolable", listener) }
        return name
    }

    /// Has the message at hand read to its end, to be stored then. False: it cannot be stored, and is refused.
    mutating func beginSpooling(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ stream: JetStreamName, _ publication: Publication
    ) -> Bool {
        guard operation.endOffset <= listener.frameBytesMax, server.supportsHeaders,
            publication.obstacle != .malformed, operation.headerLength == 0 || isPromise(operation, bytes),
            room(operation) >= Self.messageIDBytes
        else {
            lane.countNotSpooled("not_spoolable", listener)
            return false
        }
        lane.endWait(&hold)
        spooling.arriving = stream
        requests.disposition = .keep
        return true
    }

    /// Whether it can be told now that the stream will take a message with these headers.
    private func isPromise(_ operation: NATSOperation, _ bytes: Span<UInt8>) -> Bool {
        guard var headers = NATSHeaders(bytes, in: requests.place(operation.headers)) else { return false }
        while let line = headers.nextLine(bytes) {
            let name = String(decoding: Array(copying: bytes, line.name), as: UTF8.self).lowercased()
            if Self.conditionalHeaders.contains(where: name.hasPrefix) { return false }
        }
        return true
    }

    private static let conditionalHeaders = ["nats-expected-", "nats-batch-", "nats-incr"]
    private static let messageIDName = Array("Nats-Msg-Id: tacho-".utf8)
    private static let messageIDBytes = messageIDName.count + 34

    // MARK: Storing

    /// The message is here with all of its bytes. It does not go on.
    mutating func spool(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, for stream: JetStreamName, at now: Instant
    ) {
        spooling.arriving = nil
        requests.disposition = .swallow
        guard let spool = lane.shared.spool else { return }
        let subjectRange = requests.place(operation.subject)
        let destination = lane.destination(bytes, subjectRange)
        let (headers, publication) = publication(
            operation, bytes, destination, room: room(operation) - Self.messageIDBytes)
        let (open, injection, obstacle) = lane.publishing(
            publication, operation: counters.names.publish, listener: listener, causality: causality, at: now,
            mentions: { headers.mention(of: $0, bytes) })
        if let obstacle { counters.notInjected[obstacle]?.add(1) }
        let subject = Array(copying: bytes, subjectRange)
        let context = TraceContext(
            traceID: open.context.traceID, spanID: open.context.spanID, flags: open.context.flags)
        let message = SpooledMessage(
            .nats(
                SpooledPublish(
                    subject: subject, headers: block(operation, bytes, injection),
                    body: Array(copying: bytes, requests.place(operation.body)), stream: stream)),
            traceParent: context.description)
        let reply = requests.place(operation.reply)
        let inbox = reply.isEmpty ? nil : subscriptions.markInbox(ByteHash.hash(bytes, reply), bytes, reply)
        let publish = StoredPublish(
            open: open, ticket: SpoolTicket(), stream: stream, subject: subject,
            reply: inbox == nil ? [] : Array(copying: bytes, reply), inbox: inbox,
            deadline: now.monotonicNanoseconds &+ spool.limits.waitNanoseconds)
        if isVerbose { answers += Array("+OK\r\n".utf8) }
        let key = SpoolKey(listener: listener.name, stream: subject)
        guard spool.reserve(key, bytes: message.byteCount, at: now) else {
            lane.countNotSpooled("full", listener)
            lane.refused(open, lane.name("spool_full"), client: client, at: now)
            return answer(publish, error: "the spool is full, try again later")
        }
        spooling.lastNumber += 1
        let request = SpoolRequest(message, key, spool, ticket: publish.ticket, number: spooling.lastNumber)
        _ = spooling.underWay.append(publish, for: spooling.lastNumber)
        output.detours.append(.spool(request))
    }

    /// The headers as they are to be sent on, with everything that is added to them.
    private mutating func block(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ injection: Injection
    ) -> [UInt8] {
        var block: [UInt8] = []
        if operation.headerLength > 0 {
            let range = requests.place(operation.headers)
            block = Array(copying: bytes, range.lowerBound..<range.upperBound - 2)
        } else {
            block.append(contentsOf: NATSContextHeaders.blockStart.bytes)
        }
        let hasID = SpooledPublish.messageID(block) != nil
        NATSContextHeaders.append(injection, to: &block, most: room(operation) - (hasID ? 0 : Self.messageIDBytes))
        if !hasID {
            block += Self.messageIDName
            for _ in 0..<2 { block += Array(HexadecimalText.text(lane.identifiers.next()).utf8) }
            NATSWriter.appendLineEnd(to: &block)
        }
        NATSWriter.appendLineEnd(to: &block)
        return block
    }

    // MARK: Answers

    /// Something that was handed over has come to an end.
    public mutating func returned(_ outcome: DetourOutcome, at now: Instant) -> SessionOutput {
        guard case .spooled(let number, let outcome) = outcome, let publish = spooling.underWay.remove(number) else {
            return .nothing
        }
        switch outcome {
        case .stored(let id):
            let sequence = SpooledPublish.promisedSequence(of: id)
            lane.countSpooled(publish.open.destination, listener)
            answer(publish, sequence: sequence)
            lane.published(
                publish.open, .succeeded, messageID: .sequence(sequence),
                position: StreamPosition(
                    stream: lane.name(publish.stream.stream.span, 0..<publish.stream.stream.count)),
                client: client, endedAs: .spooled, at: now)
        case .failed(let reason):
            lane.countNotSpooled("failed", listener)
            fail(publish, "spool_failed", "the message could not be spooled: \(reason)", at: now)
        }
        return SessionOutput(toClient: takeAnswers())
    }

    /// Tells those who wait too long for the disk that their messages were not taken.
    mutating func tellLateSpooling(at now: Instant) -> SessionOutput {
        guard !spooling.underWay.isEmpty else { return .nothing }
        while spooling.underWay.lookAtOldest({ $0.deadline <= now.monotonicNanoseconds }) ?? false,
            let (number, oldest) = spooling.underWay.popOldest()
        {
            var publish = oldest
            guard publish.ticket.abandon() else {
                // The answer is on its way here.
                publish.deadline = .max
                _ = spooling.underWay.append(publish, for: number)
                continue
            }
            lane.countNotSpooled("late", listener)
            fail(
                publish, "spool_late", "the disk of the spool did not answer in time, the message was not taken",
                at: now)
        }
        return SessionOutput(toClient: takeAnswers())
    }

    /// The client has gone; its messages are stored all the same, as a server does that has received them.
    mutating func endSpooling(at now: Instant) {
        while let (_, publish) = spooling.underWay.popOldest() {
            lane.published(publish.open, .succeeded, client: client, endedAs: .spooled, at: now)
        }
    }

    /// The session cannot follow its messages any longer.
    mutating func abandonSpooling(at now: Instant) {
        while let (_, publish) = spooling.underWay.popOldest() {
            lane.abandoned(publish.open, as: .unobserved, client: client, at: now)
        }
    }

    private mutating func fail(_ publish: StoredPublish, _ name: StaticString, _ reason: String, at now: Instant) {
        answer(publish, error: reason)
        lane.published(publish.open, .failed(lane.name("\(name)")), client: client, at: now)
    }

    /// JetStream's own form of an acknowledgement.
    private mutating func answer(_ publish: StoredPublish, sequence: UInt64) {
        guard let inbox = publish.inbox else { return }
        var body = Array(#"{"stream":""#.utf8) + publish.stream.stream
        body += Array(#"","domain":"tacho-spool","seq":\#(sequence)}"#.utf8)
        appendAnswer(to: publish.reply, inbox, headers: [], body: body)
    }

    private mutating func answer(_ publish: StoredPublish, error: String) {
        guard let inbox = publish.inbox else {
            let subject = String(decoding: publish.subject, as: UTF8.self)
            answers += NATSWriter.error("Permissions Violation for Publish to \"\(subject)\" (tacho: \(error))")
            return
        }
        appendAnswer(to: publish.reply, inbox, headers: [], body: Self.jetStreamError("tacho: \(error)"))
    }
}
