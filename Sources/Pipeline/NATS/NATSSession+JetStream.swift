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
        let traits = counters.consumers[stream.hash, consumer.hash]
        let id = MessageID.sequence(message.streamSequence)
        if traits.acknowledgesAll { takeCovered(by: message, word, stream, consumer, &open) }
        open.messages.append(id)
        if traits.isLast(message.delivered), word != .inProgress {
            lane.settledLast(id, of: stream, consumer, listener: listener)
        }
        switch word {
        case .done: break
        case .rejected(let delay):
            open.operation = counters.names.nack
            // What is given back for the last time is not delivered again, whatever its consumer may think.
            open.ending = traits.isLast(message.delivered) ? Ending(deadLetter: .inferred) : Ending(.rejected)
            open.ending.redeliveryDelayMilliseconds = UInt32(clamping: delay / 1_000_000)
        case .terminated: (open.operation, open.ending) = (counters.names.term, Ending(deadLetter: .terminated))
        case .inProgress:
            return lane.extended(id, of: stream, consumer, listener: listener, at: now)
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

    /// An acknowledgement of a consumer that acknowledges all covers the messages before the named one, which stands last.
    /// Anything else that is said of a message concerns it alone.
    private func takeCovered(
        by message: JetStreamAckSubject, _ word: JetStreamAcknowledgement, _ stream: Destination,
        _ consumer: Destination, _ open: inout OpenSettle
    ) {
        let (key, group, sequence) = (lane.streamKey(stream, listener), consumer.hash, message.streamSequence)
        switch word {
        case .inProgress: break
        case .rejected, .terminated:
            lane.shared.deliveries.forgetCumulative(sequence, stream: key, group: group)
        case .done, .next:
            let covered = lane.shared.deliveries.takeCumulative(
                through: sequence, stream: key, group: group, most: Self.coveredMax)
            for earlier in covered where earlier != sequence { open.messages.append(.sequence(earlier)) }
        }
    }

    /// Deliveries that one acknowledgement ends; what is left is covered by the next.
    private static let coveredMax = 1_024

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
