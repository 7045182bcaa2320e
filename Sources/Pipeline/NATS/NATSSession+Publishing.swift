import Telemetry
import Wire

/// Messages that a client publishes, and what it says to JetStream.
extension NATSSession {
    /// All that may be edited of a message is here: its line, and its headers if it has any.
    /// What may be sent again has to be seen as a whole: of that, `isWhole`, the payload is here, too.
    mutating func notePublication(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, isWhole: Bool = false, at now: Instant
    ) {
        let subject = requests.place(operation.subject)
        let family = NATSSubject.family(bytes, subject)
        switch family {
        case .message, .keyValue, .object:
            let idempotency = operation.headerLength > 0 ? idempotency(operation, bytes) : .none
            if !isWhole, case .keyed = idempotency { return }
            requests.disposition = .pass
            publish(operation, bytes, subject, family, idempotency, at: now)
        case .inbox:
            requests.disposition = .pass
            counters.notInjected[.reply]?.add(1)
            _ = isAnswer(operation, bytes, subject, at: now)
        case .acknowledgement, .fetch:
            // Their payloads are a few words. What is longer is none of theirs.
            if operation.payloadLength > Self.wordsBytesMax { requests.disposition = .pass }
        case .api:
            requests.disposition = .pass
            ask(operation, bytes, subject, at: now)
        case .system:
            requests.disposition = .pass
        }
    }

    private static let wordsBytesMax = 4_096

    /// A payload that was kept is complete.
    mutating func readPayload(_ operation: NATSOperation, _ bytes: Span<UInt8>, at now: Instant) {
        if let stream = spooling.arriving { return spool(operation, bytes, for: stream, at: now) }
        let subject = requests.place(operation.subject)
        let payload = requests.place(operation.body)
        switch NATSSubject.family(bytes, subject) {
        case .acknowledgement: settle(operation, bytes, subject, payload, at: now)
        case .fetch:
            guard let place = NATSSubject.apiPlace(bytes, subject),
                let (stream, consumer) = NATSSubject.streamAndConsumer(
                    bytes, place + Self.fetchWords..<subject.upperBound)
            else { return }
            fetch(
                stream: jetStream(bytes, stream), consumer: group(bytes, stream, consumer),
                JetStreamPull(bytes, payload), operation, bytes, at: now)
        case .message, .keyValue, .object:
            notePublication(operation, bytes, isWhole: true, at: now)
            if let stream = spooling.arriving { spool(operation, bytes, for: stream, at: now) }
        case .inbox, .api, .system: break
        }
    }

    /// The length of `CONSUMER.MSG.NEXT.`.
    private static let fetchWords = 18

    /// Whether the message answers one that this client was given; then the work on that is over.
    private mutating func isAnswer(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ subject: Range<Int>, at now: Instant
    ) -> Bool {
        let reply = ByteHash.hash(bytes, subject)
        guard let delivery = openAnswers.remove(reply) else { return false }
        subscriptions.noteAnswer(delivery.sid)
        lane.ended(
            .anonymous(reply), of: Self.anyRequest, delivery.group, Ending(.acknowledged), listener: listener,
            causality: &causality, at: now)
        return true
    }

    /// Under this all requests that wait for an answer are found by their reply subjects alone.
    static let anyRequest = Destination(name: .none, hash: 0x7265_7175_6573_7473)

    // MARK: Publishing

    private mutating func publish(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ subject: Range<Int>, _ family: NATSSubject.Family,
        _ idempotency: Idempotency, at now: Instant
    ) {
        guard family == .message else {
            let store = lane.destination(bytes, NATSSubject.store(bytes, subject))
            let name = storeOperation(family, operation, bytes, subject)
            return publish(operation, bytes, store, name, idempotency, at: now)
        }
        if isAnswer(operation, bytes, subject, at: now) { return counters.notInjected[.reply]?.add(1) ?? () }
        publish(operation, bytes, lane.destination(bytes, subject), counters.names.publish, idempotency, at: now)
    }

    private mutating func publish(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ destination: Destination, _ name: NameID,
        _ idempotency: Idempotency, at now: Instant
    ) {
        let (headers, publication) = publication(operation, bytes, destination, room: room(operation))
        let reply = requests.place(operation.reply)
        let replyHash = reply.isEmpty ? 0 : ByteHash.hash(bytes, reply)
        let inbox = reply.isEmpty ? nil : subscriptions.markInbox(replyHash, bytes, reply)
        let subject = requests.place(operation.subject)
        // Key-value buckets and objects are read right after they are written.
        let mayBeSpooled = listener.spools && name == counters.names.publish
        if mayBeSpooled, let stream = streamToQueueFor(bytes, subject) {
            if beginSpooling(operation, bytes, stream, publication) { return }
            lane.endWait(&hold)
            tellRefused(publication, name, "spool_order", at: now)
            return refuse(
                "messages of this subject are still spooled, try again soon", operation, bytes, destination, inbox)
        }
        var ticket = GuardTicket.none
        switch lane.admit(lane.route(listener, name, .send, destination), listener, at: now) {
        case .passes(let admitted):
            ticket = admitted
            guard inbox != nil, let route = ticket.route, let bulkhead = lane.shared.guards?.bulkhead else { break }
            switch place(ticket, route, bulkhead, at: now) {
            case .taken(let placed): ticket = placed
            case .waits: return
            case .refused(let crowd):
                tellRefused(publication, name, "bulkhead_full", at: now)
                return refuse(crowd.text, operation, bytes, destination, inbox)
            }
        case .refused(let refusal):
            if mayBeSpooled, let stream = streamToSpoolFor(bytes, subject),
                beginSpooling(operation, bytes, stream, publication)
            {
                return
            }
            lane.endWait(&hold)
            tellRefused(publication, name, "breaker_open", at: now)
            return refuse(refusal.text, operation, bytes, destination, inbox)
        }
        let (open, injection, obstacle) = lane.publishing(
            publication, operation: name, listener: listener, causality: causality, at: now,
            mentions: { headers.mention(of: $0, bytes) })
        if let obstacle { counters.notInjected[obstacle]?.add(1) }
        let firstEdit = splices.count
        if injection != .none {
            inject(injection, into: operation, bytes, asksForPath: !headers.hasTraceDestination)
        }
        if let inbox {
            if mayBeSpooled { learnStream(of: destination, bytes, subject, reply: replyHash) }
            awaitAnswer(.send(open), ticket, reply: replyHash, at: now)
            if case .keyed(let isConditional) = idempotency {
                keep(
                    operation, bytes, open, ticket, isConditional: isConditional, reply: replyHash, sid: inbox,
                    firstEdit: firstEdit, at: now)
            } else if case .noRoom = idempotency {
                awaited.change(replyHash) { $0.isUnkept = true }
            }
            return
        }
        // Nobody answers, so nobody knows.
        lane.completed(ticket, .unknown, latency: nil, listener)
        lane.published(open, .succeeded, client: client, at: now)
    }

    /// What the headers of a message say, and what is to be known of it. `room` is what may be added to it, in bytes.
    @inline(__always)
    func publication(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ destination: Destination, room: Int
    ) -> (NATSContextHeaders, Publication) {
        var headers = NATSContextHeaders()
        var publication = Publication(
            destination: destination, bodySize: Int64(operation.body.count),
            obstacle: takesHeaders ? nil : .headersUnsupported)
        if operation.headerLength > 0 {
            let block = requests.place(operation.headers)
            if let read = NATSContextHeaders(bytes, block, lane.shared.correlationFields),
                NATSHeaders.endOfLines(bytes, in: block) != nil
            {
                headers = read
            } else {
                publication.obstacle = .malformed
            }
            publication.context = headers.context
            publication.hasForeignContextField = headers.hasContextHeader && headers.context == nil
            publication.conversation = headers.conversation(bytes)
            publication.traceState = headers.traceState(bytes)
            publication.hasTraceStateField = headers.hasTraceState
            publication.hasCausation = headers.hasCausation
        }
        if publication.obstacle == nil, room < NATSContextHeaders.contextBytes { publication.obstacle = .tooLarge }
        return (headers, publication)
    }

    /// How many bytes of header lines the message may get until the server refuses it.
    func room(_ operation: NATSOperation) -> Int {
        let block = operation.headerLength == 0 ? NATSContextHeaders.blockStart.count + 2 : 0
        return server.payloadMax - operation.payloadLength - block
    }

    /// Notes the edit: PUB becomes HPUB with a header block, an HPUB gets lines in front of the empty one.
    private mutating func inject(
        _ injection: Injection, into operation: NATSOperation, _ bytes: Span<UInt8>, asksForPath: Bool
    ) {
        let sizes = requests.place(operation.sizes)
        lane.headerLines.removeAll(keepingCapacity: true)
        NATSContextHeaders.append(injection, to: &lane.headerLines, most: room(operation))
        if asksForPath, let path, case .add(let context, _, _, _) = injection, context.isSampled,
            lane.headerLines.count + path.headerBytes <= room(operation)
        {
            path.appendHeader(to: &lane.headerLines)
        }
        let added = lane.headerLines.count
        let body = operation.body.count
        if operation.headerLength == 0 {
            let headers = NATSContextHeaders.blockStart.count + added + 2
            let lineEnd = requests.place(operation.line).upperBound
            splices.replace(at: requests.frameStart, removing: 0) { $0.append(UInt8(ascii: "H")) }
            splices.replace(at: sizes.lowerBound, removing: lineEnd - sizes.lowerBound) {
                NATSWriter.append(headers, to: &$0)
                $0.append(UInt8(ascii: " "))
                NATSWriter.append(headers + body, to: &$0)
                NATSWriter.appendLineEnd(to: &$0)
                $0.append(contentsOf: NATSContextHeaders.blockStart.bytes)
                $0.append(contentsOf: lane.headerLines)
                NATSWriter.appendLineEnd(to: &$0)
            }
        } else {
            let headers = operation.headerLength + added
            splices.replace(at: sizes.lowerBound, removing: sizes.count) {
                NATSWriter.append(headers, to: &$0)
                $0.append(UInt8(ascii: " "))
                NATSWriter.append(headers + body, to: &$0)
            }
            splices.replace(at: requests.place(operation.headers).upperBound - 2, removing: 0) {
                $0.append(contentsOf: lane.headerLines)
            }
        }
    }

    /// What is done to a key or an object: `KV-Operation` says so, and the kind of an object's subject.
    private func storeOperation(
        _ family: NATSSubject.Family, _ operation: NATSOperation, _ bytes: Span<UInt8>, _ subject: Range<Int>
    ) -> NameID {
        if family == .object {
            let kind = NATSSubject.store(bytes, subject).upperBound..<subject.upperBound
            return ASCIIText.hasPrefix(bytes, in: kind, ".C.") ? counters.names.putChunk : counters.names.put
        }
        guard operation.headerLength > 0,
            var headers = NATSHeaders(bytes, in: requests.place(operation.headers))
        else { return counters.names.put }
        while let line = headers.nextLine(bytes) {
            guard RESPText.matches(bytes, in: line.name, "KV-Operation") else { continue }
            if ASCIIText.isSame(bytes, in: line.value, "DEL") { return counters.names.delete }
            if ASCIIText.isSame(bytes, in: line.value, "PURGE") { return counters.names.purge }
        }
        return counters.names.put
    }

    // MARK: Asking

    /// The message will be answered at this subject.
    mutating func awaitAnswer(
        _ answer: NATSAwaitedAnswer, _ ticket: GuardTicket = .none, reply: UInt64, at now: Instant
    ) {
        if !kept.isIdle { kept.forgetLate(reply) }
        let question = NATSAwaited.Question(answer: answer, ticket: ticket, since: now.monotonicNanoseconds)
        for displaced in awaited.add(question, reply: reply, most: listener.pendingRepliesMax) {
            giveUp(displaced, as: .evicted, at: now)
        }
    }

    /// A request to JetStream whose answer tells something: what a consumer is like, or what a stream holds.
    private mutating func ask(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ subject: Range<Int>, at now: Instant
    ) {
        let reply = requests.place(operation.reply)
        guard !reply.isEmpty, let place = NATSSubject.apiPlace(bytes, subject) else { return }
        let call = place..<subject.upperBound
        if ASCIIText.hasPrefix(bytes, in: call, "CONSUMER.CREATE.")
            || ASCIIText.hasPrefix(bytes, in: call, "CONSUMER.DURABLE.CREATE.")
            || ASCIIText.hasPrefix(bytes, in: call, "CONSUMER.INFO.")
        {
            return awaitAnswer(.consumer, reply: ByteHash.hash(bytes, reply), at: now)
        }
        let words: StaticString = "STREAM.MSG.GET."
        let directWords: StaticString = "DIRECT.GET."
        let start: Int
        if ASCIIText.hasPrefix(bytes, in: call, words) {
            start = place + words.utf8CodeUnitCount
        } else if ASCIIText.hasPrefix(bytes, in: call, directWords) {
            start = place + directWords.utf8CodeUnitCount
        } else {
            return
        }
        let end = (start..<subject.upperBound).first { bytes[$0] == UInt8(ascii: ".") } ?? subject.upperBound
        let look = OpenReceive(
            operation: counters.names.get, startedAt: now, destination: jetStream(bytes, start..<end), mode: .inspection
        )
        awaitAnswer(.look(look), reply: ByteHash.hash(bytes, reply), at: now)
    }

    /// No answer is waited for any more.
    mutating func giveUp(_ question: NATSAwaited.Question, as ending: SpanOutcome, at now: Instant) {
        lane.completed(question.ticket, .unknown, latency: nil, listener)
        switch question.answer {
        case .send(let open): lane.abandoned(open, as: ending, client: client, at: now)
        case .settle(let open):
            // It was sent, and most probably taken.
            lane.settled(open, .succeeded, client: client, listener: listener, causality: &causality, at: now)
        case .look, .consumer: break
        }
    }
}
