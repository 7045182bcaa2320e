import Telemetry
import Wire

/// What commands that ask for messages, or settle them, say in their arguments. Nil: nothing to follow.
extension RedisSession {
    func openReceive(_ arguments: RedisArguments, _ bytes: Span<UInt8>, at now: Instant) -> OpenReceive? {
        switch RedisCommandTable.shared.commands[Int(currentCommand)].kind {
        case .read, .readGroup:
            return openRead(arguments, bytes, at: now)
        case .range:
            guard arguments.count >= 4 else { return nil }
            return OpenReceive(
                operation: operationName, startedAt: now, destination: destination(bytes, arguments.range(1)),
                mode: .inspection)
        case .claim, .autoClaim:
            guard arguments.count >= 6 else { return nil }
            // Only the ownership changes hands: no message reaches the consumer.
            for position in 5..<arguments.count where arguments.isWord(position, "JUSTID", bytes) { return nil }
            let open = OpenReceive(
                operation: operationName, startedAt: now, destination: destination(bytes, arguments.range(1)),
                group: lane.group(bytes, arguments.range(2)), consumer: lane.name(bytes, arguments.range(3)),
                mode: .leased(firstDelivery: false))
            watch(open.destination, open.group, arguments.range(1), arguments.range(2), bytes)
            return open
        case .inspect:
            guard arguments.count >= 3, arguments.isWord(1, "STREAM", bytes) else { return nil }
            return OpenReceive(
                operation: operationName, startedAt: now, destination: destination(bytes, arguments.range(2)),
                mode: .inspection)
        case .plain, .publishEntry, .publishMessage, .acknowledge, .delete, .subscribe, .unsubscribe, .hello, .client,
            .select, .begin, .execute, .discard, .reset, .monitor, .replicate:
            return nil
        }
    }

    /// The route whose guard watches a read; nil for a mere look at what is stored.
    func route(_ open: OpenReceive) -> RouteID? {
        open.isInspection
            ? nil : lane.route(listener, open.operation, .receive, open.destination, group: open.group)
    }

    /// `XREAD [COUNT n] [BLOCK ms] STREAMS key... id...`, and XREADGROUP with `GROUP group consumer` in front and the
    /// options NOACK and `CLAIM ms`.
    private func openRead(_ arguments: RedisArguments, _ bytes: Span<UInt8>, at now: Instant) -> OpenReceive? {
        var open = OpenReceive(
            operation: operationName, startedAt: now, destination: Destination(name: .none, hash: 0), mode: .unsettled)
        var position = 1
        var group: Range<Int>?
        while position < arguments.count, !arguments.isWord(position, "STREAMS", bytes) {
            if arguments.isWord(position, "GROUP", bytes), position + 2 < arguments.count {
                open.group = lane.group(bytes, arguments.range(position + 1))
                group = arguments.range(position + 1)
                open.consumer = lane.name(bytes, arguments.range(position + 2))
                open.mode = .leased(firstDelivery: true)
                position += 3
            } else if arguments.isWord(position, "NOACK", bytes) {
                open.mode = .unsettled
                position += 1
            } else {
                open.blocks = open.blocks || arguments.isWord(position, "BLOCK", bytes)
                position += 2
            }
        }
        let streams = arguments.count - position - 1
        guard streams >= 2, streams % 2 == 0 else { return nil }
        let first = position + 1
        if streams == 2 { open.destination = destination(bytes, arguments.range(first)) }
        guard case .leased = open.mode else { return open }
        if let group, lane.shared.consumerGroups != nil {
            for key in first..<(first + streams / 2) {
                watch(destination(bytes, arguments.range(key)), open.group, arguments.range(key), group, bytes)
            }
        }
        for key in first..<(first + streams / 2) where !arguments.isWord(key + streams / 2, ">", bytes) {
            // Any other id reads again what this consumer had been given.
            open.rereads.append(destination(bytes, arguments.range(key)).hash)
        }
        return open
    }

    private func watch(
        _ destination: Destination, _ group: Destination, _ streamName: Range<Int>, _ groupName: Range<Int>,
        _ bytes: Span<UInt8>
    ) {
        lane.watchGroup(destination, group, listener, database: database) {
            (Array(copying: bytes, streamName), Array(copying: bytes, groupName))
        }
    }

    /// `XACK key group id...`, `XACKDEL key group [KEEPREF|DELREF|ACKED] IDS n id...`, `XDEL key id...`,
    /// `XDELEX key [KEEPREF|DELREF|ACKED] IDS n id...`.
    func openSettle(_ arguments: RedisArguments, _ bytes: Span<UInt8>, at now: Instant) -> OpenSettle? {
        let deletes = RedisCommandTable.shared.commands[Int(currentCommand)].kind == .delete
        let firstID = deletes ? 2 : 3
        guard arguments.count > firstID else { return nil }
        var open = OpenSettle(
            destination: destination(bytes, arguments.range(1)),
            group: deletes ? Destination(name: .none, hash: 0) : lane.group(bytes, arguments.range(2)),
            operation: operationName, startedAt: now, leftOut: 0, deletes: deletes)
        var position = firstID
        for word in firstID..<arguments.count where arguments.isWord(word, "IDS", bytes) {
            position = word + 2
            break
        }
        while position < arguments.count {
            if open.messages.count >= Self.settledMax {
                open.leftOut += 1
            } else if let id = RESPText.entryID(bytes, in: arguments.range(position)) {
                open.messages.append(.streamEntry(milliseconds: id.milliseconds, sequence: id.sequence))
            }
            position += 1
        }
        return open
    }

    /// Messages of one acknowledgement that are followed.
    private static let settledMax = 10_000
}

extension [UInt8] {
    /// A part of a span.
    init(copying bytes: Span<UInt8>, _ range: Range<Int>) {
        self = bytes.extracting(range).withUnsafeBufferPointer { Array($0) }
    }
}
