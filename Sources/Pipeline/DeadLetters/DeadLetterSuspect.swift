import Telemetry
import Wire

/// A pending message that may be dead, and the form in which it is kept if it is.
struct DeadLetterSuspect {
    let group: ConsumerGroup
    let id: StreamEntryID
    let consumer: [UInt8]
    let idleMilliseconds: Int
    /// By the broker's count.
    let deliveries: Int
    /// Those of them that count.
    var counted = 0

    /// A row of XPENDING: id, consumer, milliseconds since the last delivery, deliveries.
    init?(_ row: RedisReply, _ group: ConsumerGroup) {
        guard let row = row.array, row.count == 4, let id = row[0].text.flatMap({ StreamEntryID($0) }),
            let consumer = row[1].text, let idle = row[2].integer, let deliveries = row[3].integer
        else { return nil }
        self.group = group
        self.id = id
        self.consumer = consumer
        idleMilliseconds = idle
        self.deliveries = deliveries
    }

    /// The stream of dead letters.
    func letterStream(_ policy: DeadLetterPolicy) -> [UInt8] { group.key.stream.elements + Array(policy.suffix.utf8) }

    /// The command that keeps it: all fields as they were, the trace context among them, and what is known of its end.
    func writing(_ fields: [RedisReply], _ policy: DeadLetterPolicy, unixNanoseconds: UInt64) -> [[UInt8]] {
        var words = [Array("XADD".utf8), letterStream(policy), Array("*".utf8)]
        words += fields.map { $0.text ?? [] }
        func add(_ name: String, _ value: [UInt8]) { words += [Array("tacho-dead-letter-\(name)".utf8), value] }
        add("stream", group.key.stream.elements)
        add("group", group.key.group.elements)
        add("id", id.bytes)
        add("consumer", consumer)
        add("reason", Array("deliveries".utf8))
        add("deliveries", Array("\(deliveries)".utf8))
        add("counted", Array("\(counted)".utf8))
        add("at", Array(UTCTime.text(unixNanoseconds: unixNanoseconds, .milliseconds).utf8))
        return words
    }

    /// The letter that an earlier process has written of this message and not acknowledged: the id of its entry.
    func letter(among reply: RedisReply) -> [UInt8]? {
        let wanted = [
            "stream": group.key.stream.elements, "group": group.key.group.elements, "id": id.bytes,
        ]
        for entry in reply.array ?? [] {
            guard let parts = entry.array, parts.count == 2, let fields = parts[1].array else { continue }
            var found = 0
            for index in stride(from: 0, to: fields.count - 1, by: 2) {
                for (name, value) in wanted
                where fields[index].text == Array("tacho-dead-letter-\(name)".utf8) && fields[index + 1].text == value {
                    found += 1
                }
            }
            if found == wanted.count { return parts[0].text }
        }
        return nil
    }
}

extension Lane {
    /// Whether calls of any kind are refused anywhere at the moment.
    var isAnyGuardOpen: Bool { shared.guards?.cells.contains { $0.word != AdmissionWord.all } ?? false }

    /// A message has become a dead letter: its delivery ends, and a span in its trace tells where it went.
    func deadLettered(
        _ suspect: DeadLetterSuspect, _ letter: [UInt8], _ letterStream: [UInt8], _ fields: [RedisReply],
        _ listener: ListenerProfile, at now: Instant
    ) {
        let (destination, group) = (suspect.group.destination, suspect.group.group)
        let messageID = MessageID.streamEntry(milliseconds: suspect.id.milliseconds, sequence: suspect.id.sequence)
        let key = DeliveryKey(stream: streamKey(destination, listener), group: group.hash, messageID: messageID)
        var parent = context(in: fields)
        if let delivery = shared.deliveries.remove(key) {
            finish(delivery, messageID, as: .deadLettered, at: now)
            parent = delivery.process
        }
        let route = route(listener, name("move"), .settle, destination, group: group)
        let context: TraceContext
        if let parent {
            context = TraceContext(traceID: parent.traceID, spanID: identifiers.spanID(), flags: parent.flags)
        } else {
            context = rootContext(destination.name, at: now)
        }
        observe(route, 0, context, .succeeded, now)
        if tap.isWatched { tellDeadLettered(suspect, messageID, context, route, at: now) }
        guard context.isSampled || holdsUnsampled else { return countNotSampled() }
        var span = SpanRecord(
            descriptor: routes.routes[route.index].descriptor, kind: .client, traceID: context.traceID,
            spanID: context.spanID, flags: context.flags, startUnixNanoseconds: now.unixNanoseconds,
            endUnixNanoseconds: now.unixNanoseconds)
        if let parent { span.parentSpanID = parent.spanID }
        span.messageID = messageID
        span.outcome = .deadLettered
        span.attempt = UInt32(clamping: suspect.deliveries)
        span.consumer = name(suspect.consumer.span, 0..<suspect.consumer.count)
        span.detail = SpanDetail(events: [
            SpanEvent(
                unixNanoseconds: now.unixNanoseconds, name: "tacho.dead_letter",
                attributes: [
                    ("tacho.dead_letter.stream", .string(String(decoding: letterStream, as: UTF8.self))),
                    ("tacho.dead_letter.id", .string(String(decoding: letter, as: UTF8.self))),
                    ("tacho.dead_letter.reason", .string("deliveries")),
                    ("tacho.dead_letter.deliveries", .integer(Int64(suspect.deliveries))),
                    ("tacho.dead_letter.counted", .integer(Int64(suspect.counted))),
                ])
        ])
        if context.isSampled {
            record(span, of: destination.name, because: reason(ofContext: parent))
        } else {
            holdUnsampled(span, conversation: nil, keptFor: .deadLetter, at: now)
        }
    }

    /// The context that a stored entry carries.
    func context(in fields: [RedisReply]) -> TraceContext? {
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let name = fields[index].text, ContextNames.isTraceParent(name.span, 0..<name.count),
                let value = fields[index + 1].text
            else { continue }
            return TraceContext(parsing: value.span)
        }
        return nil
    }

    private func tellDeadLettered(
        _ suspect: DeadLetterSuspect, _ messageID: MessageID, _ context: TraceContext, _ route: RouteID, at now: Instant
    ) {
        var event = TapEvent(
            .settled, unixNanoseconds: now.unixNanoseconds, listener: routes.routes[route.index].listener,
            descriptor: routes.routes[route.index].descriptor, traceID: context.traceID, isSampled: context.isSampled)
        event.messageID = messageID
        event.outcome = .deadLettered
        event.attempt = UInt32(clamping: suspect.deliveries)
        tap.emit(event)
    }
}
