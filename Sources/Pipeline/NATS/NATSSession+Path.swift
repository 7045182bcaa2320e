import Telemetry
import Wire

/// The way of messages through the servers, which they tell on request.
extension NATSSession {
    /// Subscribes to what servers will tell, right behind the client's CONNECT. A verbose client counts the answers to
    /// what it sends; adding to that would not go unnoticed.
    mutating func openPath(behind operation: NATSOperation) {
        guard listener.nats.messagePath, server.tracesMessages, takesHeaders, !isVerbose else { return }
        let inbox = NATSPathInbox(lane.identifiers.next())
        splices.replace(at: requests.place(operation.line).upperBound, removing: 0) { $0 += inbox.subscription }
        path = inbox
    }

    /// Whether the message is for us alone.
    func isPathMessage(_ operation: NATSOperation, _ bytes: Span<UInt8>) -> Bool {
        guard let path else { return false }
        return ByteHash.hash(bytes, deliveries.place(operation.sid)) == path.sidHash
    }

    /// What a server tells of one message.
    func notePath(_ operation: NATSOperation, _ bytes: Span<UInt8>) {
        guard let hop = NATSMessagePath(bytes, deliveries.place(operation.body)), let context = hop.context else {
            return
        }
        var server = Destination.absent
        if !hop.server.isEmpty {
            server = Destination(name: lane.name(bytes, hop.server), hash: ByteHash.hash(bytes, hop.server))
        }
        lane.passed(
            context, through: server, of: lane.destination(bytes, hop.subject), hasFailed: hop.hasError,
            startUnixNanoseconds: hop.startUnixNanoseconds, endUnixNanoseconds: hop.endUnixNanoseconds, listener)
    }

    /// The client may not subscribe to this: it does without, and is not told of what it did not ask for.
    mutating func isPathRefusal(_ operation: NATSOperation, _ bytes: Span<UInt8>) -> Bool {
        guard let path, path.isRefused(bytes, deliveries.place(operation.text)) else { return false }
        self.path = nil
        splices.replace(at: deliveries.frameStart, removing: operation.lineEnd) { _ in }
        return true
    }
}
