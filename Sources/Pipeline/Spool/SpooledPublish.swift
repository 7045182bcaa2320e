import Wire

/// A publish to a subject that a JetStream stream stores, with all that was added to it.
public struct SpooledPublish: Sendable, Equatable {
    /// Where it goes.
    public var subject: [UInt8]
    /// The header block with the empty line that ends it. A `Nats-Msg-Id` is among its lines, the client's own or ours.
    public var headers: [UInt8]
    /// The payload behind the headers.
    public var body: [UInt8]
    /// The stream that has acknowledged messages to this subject.
    public var stream: JetStreamName

    /// All parts.
    public init(subject: [UInt8], headers: [UInt8], body: [UInt8], stream: JetStreamName) {
        self.subject = subject
        self.headers = headers
        self.body = body
        self.stream = stream
    }

    /// The sequence that a client is told when the store has given its message the id `stored`: above all that a stream
    /// comes to, and exact in languages that know only doubles.
    static func promisedSequence(of stored: StreamEntryID) -> UInt64 {
        (stored.milliseconds << 12 &+ stored.sequence) & (1 << 53 - 1)
    }

    /// Bytes of headers and body, which is what a server's `max_payload` limits.
    var payloadBytes: Int { headers.count + body.count }

    /// The whole operation, to be answered at `reply`.
    func operation(reply: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(subject.count + reply.count + payloadBytes + 48)
        bytes += Array("HPUB ".utf8) + subject + [UInt8(ascii: " ")] + reply + [UInt8(ascii: " ")]
        NATSWriter.append(headers.count, to: &bytes)
        bytes.append(UInt8(ascii: " "))
        NATSWriter.append(payloadBytes, to: &bytes)
        NATSWriter.appendLineEnd(to: &bytes)
        bytes += headers
        bytes += body
        NATSWriter.appendLineEnd(to: &bytes)
        return bytes
    }

    /// What JetStream tells a message from others by.
    var messageID: [UInt8] { Self.messageID(headers) ?? [] }

    /// The value of `Nats-Msg-Id` in a header block; nil when there is none.
    static func messageID(_ headers: [UInt8]) -> [UInt8]? {
        guard var lines = NATSHeaders(headers.span, in: 0..<headers.count) else { return nil }
        while let line = lines.nextLine(headers.span) {
            // As servers do, in this case only.
            if ASCIIText.isSame(headers.span, in: line.name, "Nats-Msg-Id") { return Array(headers[line.value]) }
        }
        return nil
    }
}

/// A stream of JetStream: its name, and the domain that it is in.
public struct JetStreamName: Sendable, Hashable {
    /// As acknowledgements tell it.
    public var stream: [UInt8]
    /// Empty for the domain of the server.
    public var domain: [UInt8]

    /// Both parts.
    public init(stream: [UInt8], domain: [UInt8] = []) {
        self.stream = stream
        self.domain = domain
    }

    /// What the subjects of JetStream's own requests begin with.
    var apiPrefix: [UInt8] {
        Array("$JS.".utf8) + (domain.isEmpty ? [] : domain + [UInt8(ascii: ".")]) + Array("API.".utf8)
    }
}
