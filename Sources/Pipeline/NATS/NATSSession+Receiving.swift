import Telemetry
import Wire

/// Messages that the server sends: answers, JetStream's messages, and plain ones.
extension NATSSession {
    /// A message is on its way to the client. `isWhole`: its payload is here to be read.
    mutating func receive(_ operation: NATSOperation, _ bytes: Span<UInt8>, isWhole: Bool, at now: Instant) {
        let sid = ByteHash.hash(bytes, deliveries.place(operation.sid))
        let subject = deliveries.place(operation.subject)
        let subscription = subscriptions[sid]
        if let subscription { subscriptions.count(sid, subscription) }
        var headers = NATSContextHeaders()
        if operation.headerLength > 0 {
            let block = deliveries.place(operation.headers)
            headers = NATSContextHeaders(bytes, block, lane.shared.correlationFields) ?? headers
            editHeaders(operation, headers)
        }
        let body = isWhole ? deliveries.place(operation.body) : 0..<0
        if !awaited.isEmpty {
            let reply = ByteHash.hash(bytes, subject)
            if let question = awaited.remove(reply) {
                if !spooling.learning.isEmpty { learn(from: question, reply, bytes, body) }
                return answered(question, operation, bytes, headers, body, at: now)
            }
        }
        if headers.status != 0 { return noteStatus(headers.status, bytes, subject, at: now) }
        if JetStreamAdvisory.isAdvisory(bytes, subject) {
            return noteAdvisory(bytes, subject, body, at: now)
        }
        if let position = JetStreamAckSubject(bytes, deliveries.place(operation.reply)) {
            return receive(position, operation, bytes, headers, at: now)
        }
        if subscription?.isInbox == true { return }
        receivePlain(operation, bytes, subject, headers, sid, subscription, at: now)
    }

    /// What the client does not read, or is not to see, is taken out.
    private mutating func editHeaders(_ operation: NATSOperation, _ headers: NATSContextHeaders) {
        let sizes = deliveries.place(operation.sizes)
        let block = deliveries.place(operation.headers)
        let body = operation.body.count
        let strips = listener.deliver == .strip && !headers.added.isEmpty
        if strips { counters.stripped.add(1) }
        if removesHeaders || (strips && !headers.hasOthers) {
            splices.replace(at: deliveries.frameStart, removing: 1) { _ in }
            splices.replace(at: sizes.lowerBound, removing: sizes.count) { NATSWriter.append(body, to: &$0) }
            splices.replace(at: block.lowerBound, removing: block.count) { _ in }
        } else if strips {
            let length = operation.headerLength - headers.added.count
            splices.replace(at: sizes.lowerBound, removing: sizes.count) {
                NATSWriter.append(length, to: &$0)
                $0.append(UInt8(ascii: " "))
                NATSWriter.append(length + body, to: &$0)
            }
            splices.replace(at: headers.added.lowerBound, removing: headers.added.count) { _ in }
        }
    }

    private func delivered(
        _ id: MessageID, _ operation: NATSOperation, _ bytes: Span<UInt8>, _ headers: NATSContextHeaders
    ) -> Delivered {
        var message = Delivered(
            messageID: id, context: headers.context, conversation: headers.conversation(bytes), traceState: nil,
            bodySize: Int64(operation.body.count))
        if headers.context?.isSampled == true { message.traceState = headers.traceState(bytes) }
        if let conversation = message.conversation {
            message.conversationIsExact = headers.isExact(conversation, bytes)
        }
        return message
    }

    // MARK: Answers

    private mutating func answered(
        _ question: NATSAwaited.Question, _ operation: NATSOperation, _ bytes: Span<UInt8>,
        _ headers: NATSContextHeaders, _ body: Range<Int>, at now: Instant
    ) {
        let outcome: Outcome = headers.status >= 400 ? .failed(lane.name("\(headers.status)")) : .succeeded
        switch question.answer {
        case .send(let open):
            let answer = JetStreamAnswer(bytes, body)
            complete(question, answer, headers.status, at: now)
            answered(open, outcome, answer, bytes, at: now)
        case .settle(let open):
            lane.settled(open, outcome, client: client, listener: listener, causality: &causality, at: now)
        case .look(let open): answered(open, outcome, operation, bytes, headers, body, at: now)
        case .consumer:
            guard let info = JetStreamConsumerInfo(bytes, body), let stream = info.stream,
                let consumer = info.consumer
            else { return }
            counters.consumers.set(
                info.traits, stream: ByteHash.hash(bytes, stream), consumer: ByteHash.hash(bytes, consumer))
        }
    }

    /// The answer to a published message: JetStream has stored it, or refuses to, or somebody replies.
    private mutating func answered(
        _ open: OpenSend, _ outcome: Outcome, _ answer: JetStreamAnswer, _ bytes: Span<UInt8>, at now: Instant
    ) {
        switch answer {
        case .stored(let stream, let sequence, let isDuplicate):
            counters.storedDestinations.note(open.destination.hash)
            lane.published(
                open, .succeeded, messageID: .sequence(sequence),
                position: StreamPosition(stream: lane.name(bytes, stream)), client: client,
                endedAs: isDuplicate ? .duplicate : .unremarkable, at: now)
        case .refused(let code, _):
            lane.published(open, .failed(lane.errorName(bytes, code)), client: client, at: now)
        case .other:
            var open = open
            if open.operation == counters.names.publish { lane.rename(&open, counters.names.request, listener) }
            // Who waits for an answer is a client of the one who works on it.
            open.kind = .client
            lane.published(open, outcome, client: client, at: now)
        }
    }

    /// The answer to a look at a stream: the message, or an error, most often that there is none.
    private mutating func answered(
        _ open: OpenReceive, _ outcome: Outcome, _ operation: NATSOperation, _ bytes: Span<UInt8>,
        _ headers: NATSContextHeaders, _ body: Range<Int>, at now: Instant
    ) {
        var isThere = outcome == .succeeded
        if isThere, case .refused = JetStreamAnswer(bytes, body) { isThere = false }
        guard isThere else {
            return lane.receivedNothing(
                open, from: open.destination, .succeeded, client: client, listener: listener, at: now)
        }
        let message = delivered(.none, operation, bytes, headers)
        lane.received(
            open, from: open.destination, [message], client: client, listener: listener, causality: &causality, at: now)
    }

    /// What the server says where messages were expected: nothing (404, 408), or that something is wrong. Heartbeats and
    /// flow control (100) are no messages and concern nobody.
    private mutating func noteStatus(_ status: Int, _ bytes: Span<UInt8>, _ subject: Range<Int>, at now: Instant) {
        guard status >= 400, let fetch = fetches.remove(reply: ByteHash.hash(bytes, subject)) else { return }
        let isOrdinary = status == 404 || status == 408
        end(fetch, isOrdinary ? .succeeded : .failed(lane.name("\(status)")), at: now)
    }

    /// A message has been delivered as often as it may be, or was given up by its consumer.
    private mutating func noteAdvisory(
        _ bytes: Span<UInt8>, _ subject: Range<Int>, _ body: Range<Int>, at now: Instant
    ) {
        guard let advisory = JetStreamAdvisory(bytes, subject, body) else { return }
        lane.givenUp(
            .sequence(advisory.sequence), of: jetStream(bytes, advisory.stream),
            group(bytes, advisory.stream, advisory.consumer),
            advisory.isTermination ? .terminated : .maxDeliveries, listener: listener, causality: &causality, at: now)
    }

    // MARK: Messages

    private mutating func receive(
        _ position: JetStreamAckSubject, _ operation: NATSOperation, _ bytes: Span<UInt8>,
        _ headers: NATSContextHeaders, at now: Instant
    ) {
        let stream = jetStream(bytes, position.stream)
        let consumer = group(bytes, position.stream, position.consumer)
        var message = delivered(.sequence(position.streamSequence), operation, bytes, headers)
        message.storedUnixNanoseconds = position.storedUnixNanoseconds
        message.attempt = UInt32(clamping: position.delivered)
        message.position = StreamPosition(
            consumerSequence: position.consumerSequence, pending: position.pending)
        causality.pushed()
        let traits = counters.consumers[stream.hash, consumer.hash]
        if !traits.needsNoAcknowledgement { note(message, position, stream, consumer, traits, at: now) }
        if let index = fetches.index(stream: stream.hash, consumer: consumer.hash) {
            let ended = fetches.fulfil(index) {
                lane.received(
                    message, of: &$0, client: client, listener: listener, causality: &causality, at: now)
            }
            if let ended { end(ended, .succeeded, at: now) }
        } else if traits.needsNoAcknowledgement {
            message.attempt = 0
            lane.pushed(message, from: stream, group: consumer, client: client, listener: listener, at: now)
        } else {
            lane.pushedToSettle(
                message, from: stream, group: consumer, client: client, listener: listener, causality: &causality,
                at: now)
        }
    }

    /// What the consumer's settings make of a delivery, beside what it is anyway.
    private func note(
        _ message: Delivered, _ position: JetStreamAckSubject, _ stream: Destination, _ consumer: Destination,
        _ traits: JetStreamConsumers.Traits, at now: Instant
    ) {
        if traits.acknowledgesAll {
            lane.shared.deliveries.noteCumulative(
                position.streamSequence, stream: lane.streamKey(stream, listener), group: consumer.hash)
        }
        if traits.isLast(position.delivered) {
            lane.watchLast(
                message.messageID, of: stream, consumer, waitNanoseconds: traits.waitNanoseconds, listener: listener,
                at: now)
        }
    }

    private mutating func receivePlain(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ subject: Range<Int>, _ headers: NATSContextHeaders,
        _ sid: UInt64, _ subscription: NATSSubscriptions.Subscription?, at now: Instant
    ) {
        var destination: Destination
        switch NATSSubject.family(bytes, subject) {
        case .message:
            destination = lane.destination(bytes, subject)
            destination.template = subscription?.template ?? .none
        case .keyValue, .object: destination = lane.destination(bytes, NATSSubject.store(bytes, subject))
        case .inbox, .acknowledgement, .fetch, .api, .system: return
        }
        var group = subscription?.group ?? .absent
        let reply = deliveries.place(operation.reply)
        guard !reply.isEmpty, subscription?.answers ?? true else {
            let message = delivered(.none, operation, bytes, headers)
            return lane.pushed(message, from: destination, group: group, client: client, listener: listener, at: now)
        }
        // Somebody waits for an answer: the work is over when it is published.
        let hash = ByteHash.hash(bytes, reply)
        subscriptions.noteRequest(sid)
        group.hash ^= connection
        destination.hash = Self.anyRequest.hash
        openAnswers.add(.init(group: group, sid: sid), reply: hash, most: listener.pendingRepliesMax)
        causality.pushed()
        lane.pushedToSettle(
            delivered(.anonymous(hash), operation, bytes, headers), from: destination, group: group, client: client,
            listener: listener, causality: &causality, at: now)
    }
}
