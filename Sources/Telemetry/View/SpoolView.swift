// Names of members are those of the JSON that programs read.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
/// What the spool keeps of one stream, as `/api/v1/spool` and `tacho spool` show it.
public struct SpoolStreamView: Codable, Hashable, Sendable {
    /// What waits, or what was set aside.
    public struct Part: Codable, Hashable, Sendable {
        public var messages: Int
        public var bytes: Int
        /// Since when the oldest has been there; nil for none.
        public var oldest: UInt64?
        /// Why they were set aside, each with its number of messages; nil for those that wait.
        public var reasons: [String: Int]?

        public init(messages: Int, bytes: Int, oldest: UInt64?, reasons: [String: Int]? = nil) {
            self.messages = messages
            self.bytes = bytes
            self.oldest = oldest
            self.reasons = reasons
        }

        private enum CodingKeys: String, CodingKey {
            case messages, bytes, reasons
            case oldest = "oldest_unix_milliseconds"
        }
    }

    public var listener: String
    public var database: Int
    public var stream: String
    /// Whether there is a listener of this name that sends on what waits.
    public var isSentOn: Bool
    public var waiting: Part
    public var setAside: Part

    public init(
        listener: String, database: Int, stream: String, isSentOn: Bool, waiting: Part, setAside: Part
    ) {
        self.listener = listener
        self.database = database
        self.stream = stream
        self.isSentOn = isSentOn
        self.waiting = waiting
        self.setAside = setAside
    }

    private enum CodingKeys: String, CodingKey {
        case listener, database, stream, waiting
        case isSentOn = "sent_on"
        case setAside = "set_aside"
    }
}

// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
/// The answer of `/api/v1/spool`.
public struct SpoolList: Codable, Hashable, Sendable {
    public var streams: [SpoolStreamView]
    /// Streams beyond the limit.
    public var leftOut: Int
    /// The bounds, for all streams together.
    public var messagesMax: Int
    public var bytesMax: Int

    public init(streams: [SpoolStreamView], leftOut: Int, messagesMax: Int, bytesMax: Int) {
        self.streams = streams
        self.leftOut = leftOut
        self.messagesMax = messagesMax
        self.bytesMax = bytesMax
    }

    private enum CodingKeys: String, CodingKey {
        case streams
        case leftOut = "left_out"
        case messagesMax = "messages_max"
        case bytesMax = "bytes_max"
    }
}

// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
/// One message in the spool.
public struct SpoolMessageView: Codable, Hashable, Sendable {
    /// Its place in the spool: unique for a stream and a state.
    public var id: String
    /// waiting or set_aside.
    public var state: String
    public var listener: String
    public var database: Int
    public var stream: String
    /// Why it was set aside; nil for one that waits.
    public var reason: String?
    /// Since when it has been in this state.
    public var since: UInt64
    /// When its client was answered; nil where that is not known any more.
    public var stored: UInt64?
    /// What its client was told: the id of an entry, or the sequence in a stream of JetStream.
    public var promised: String?
    public var bytes: Int
    public var traceID: String?
    /// The words of the command: XADD up to the id, or HPUB and the subject; nil for what cannot be read.
    public var command: [FieldView]?
    /// Names and values of the entry, or the headers.
    public var fields: [[FieldView]]?
    /// The payload; nil where fields are all there is.
    public var body: FieldView?
    /// What cannot be read: as it is, in its two parts.
    public var head: FieldView?
    public var tail: FieldView?

    public init(
        id: String, state: String, listener: String, database: Int, stream: String, reason: String?, since: UInt64,
        stored: UInt64?, promised: String?, bytes: Int, traceID: String?
    ) {
        self.id = id
        self.state = state
        self.listener = listener
        self.database = database
        self.stream = stream
        self.reason = reason
        self.since = since
        self.stored = stored
        self.promised = promised
        self.bytes = bytes
        self.traceID = traceID
    }

    private enum CodingKeys: String, CodingKey {
        case id, state, listener, database, stream, reason, promised, bytes, command, fields, body, head, tail
        case since = "since_unix_milliseconds"
        case stored = "stored_at_unix_milliseconds"
        case traceID = "trace_id"
    }
}

// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
/// The answer of `/api/v1/spool/messages`.
public struct SpoolMessageList: Codable, Hashable, Sendable {
    public var messages: [SpoolMessageView]
    /// Where the next page begins; nil at the end.
    public var next: String?

    public init(messages: [SpoolMessageView], next: String?) {
        self.messages = messages
        self.next = next
    }
}

// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
/// The answer of `/api/v1/spool/redrive`.
public struct SpoolRedriveReport: Codable, Hashable, Sendable {
    public var isDryRun: Bool
    /// Messages that wait again.
    public var redriven: Int
    /// Messages whose listener is not there, or does not spool: they stay.
    public var skipped: Int

    public init(isDryRun: Bool, redriven: Int, skipped: Int) {
        self.isDryRun = isDryRun
        self.redriven = redriven
        self.skipped = skipped
    }

    private enum CodingKeys: String, CodingKey {
        case redriven, skipped
        case isDryRun = "dry_run"
    }
}

// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
/// The answer of `/api/v1/spool/purge`.
public struct SpoolPurgeReport: Codable, Hashable, Sendable {
    public var purged: Int

    public init(purged: Int) { self.purged = purged }
}
