import Telemetry
import Wire

/// What a client asks of JetStream and tells it: requests for messages, acknowledgements.
extension NATSSession {
    mutating func fetch(
        stream: Destination, consumer: Destination, _ pull: JetStreamPull, _ operation: NATSOperation,
        _ bytes: Span<UInt8>, at now: Instant
    ) {
        let reply = requests.place(operation.reply)
        guard !reply.isEmpty else { return }
        let traits = counters.consumers[stream.hash, consumer.hash]
        let open = OpenReceive(
            operation: counters.names.fetch, startedAt: now, destination: stream, group: consumer,
            mode: traits.needsNoAcknowledgement ? .unsettled : .leased(firstDelivery: true))
        let hash = ByteHash.hash(bytes, reply)
        if let displaced = fetches.add(open, pull, reply: hash, at: now) { end(displaced, .succeeded, at: now) }
    }

    mutating func settle(
        _ operation: NATSOperation, _ bytes: Span<UInt8>, _ subject: Range<Int>, _ payload: Range<Int>, at now: Instant
    ) {
        guard let message = JetStreamAckSubject(bytes, subject) else { return }
        let stream = jetStream(bytes, message.stream)
        let consumer = group(bytes, message.stream, message.consumer)
        let word = JetStreamAcknowledgement(bytes, payload)
        var open = OpenSettle(
            destination: stream, group: consumer, operation: counters.names.ack, startedAt: now, leftOut: 0,
            deletes: false)
        open.messages.append(.sequence(message.streamSequence))
        switch word {
        case .done: break
        case .rejected: (open.operation, open.outcome) = (counters.names.nack, .rejected)
        case .terminated: (open.operation, open.outcome) = (counters.names.term, .terminated)
        case .inProgress:
            return lane.extended(
                .sequence(message.streamSequence), of: stream, consumer, listener: listener)
        case .next(let batch):
            var pull = JetStreamPull()
            pull.batch = batch
            fetch(stream: stream, consumer: consumer, pull, operation, bytes, at: now)
        }
        let reply = requests.place(operation.reply)
        if !reply.isEmpty, word == .done {
            let hash = ByteHash.hash(bytes, reply)
            if subscriptions.markInbox(hash, bytes, reply) != nil {
                return awaitAnswer(.settle(open), reply: hash, at: now)
            }
        }
        lane.settled(open, .succeeded, client: client, listener: listener, causality: &causality, at: now)
    }

    /// A request for messages has ended.
    mutating func end(_ fetch: NATSFetches.Fetch, _ outcome: Outcome, at now: Instant) {
        lane.receivedAll(fetch.receipt, outcome, client: client, listener: listener, at: now)
    }

    // MARK: Names

    /// A stream, under the name of the store that it is made for if it is for one: `KV_x` is `$KV.x`, `OBJ_x` is `$O.x`.
    func jetStream(_ bytes: Span<UInt8>, _ stream: Range<Int>) -> Destination {
        let hash = ByteHash.hash(bytes, stream)
        let (word, skipped): (StaticString, Int)
        if ASCIIText.hasPrefix(bytes, in: stream, "KV_") {
            (word, skipped) = ("$KV.", 3)
        } else if ASCIIText.hasPrefix(bytes, in: stream, "OBJ_") {
            (word, skipped) = ("$O.", 4)
        } else {
            return lane.destination(bytes, stream)
        }
        let name = Array(word.description.utf8) + stream.dropFirst(skipped).map { bytes[$0] }
        var destination = lane.destination(name.span, 0..<name.count)
        destination.hash = hash
        return destination
    }

    /// A consumer, as group. Random names are told apart by their hash alone.
    func group(_ bytes: Span<UInt8>, _ stream: Range<Int>, _ consumer: Range<Int>) -> Destination {
        let hash = ByteHash.hash(bytes, consumer)
        let traits = counters.consumers[ByteHash.hash(bytes, stream), hash]
        return traits.isDurable ? lane.group(bytes, consumer) : Destination(name: counters.ephemeral, hash: hash)
    }
}
