/// What an embedded session wants done: everything that is not bytes to its client.
public enum EmbeddedEffect: Sendable {
    /// Handed to the store; answered with `.store`.
    case submit(StreamUnit, EmbeddedTicket)
    /// A long read with nothing before it under way: any thread may look it up. Answered with `.store`; what comes behind
    /// it is held until then.
    case look(StreamUnit, EmbeddedTicket)
    /// A read that waits until it finds something, at most so long; 0 for ever. Answered with `.store`, at the end of the
    /// time with a read that found nothing.
    case wait(StreamUnit, milliseconds: UInt64, EmbeddedTicket)
    /// From now on messages of this channel are for this session.
    case subscribe(EmbeddedChannel)
    /// No longer.
    case unsubscribe(EmbeddedChannel)
    /// Something that others know; answered at once, before anything else reaches the session.
    case ask(EmbeddedQuestion, EmbeddedTicket)
    /// The client has given itself a name.
    case named([UInt8])
    /// The connection ends when what was written is out.
    case close
}

/// Which command an answer belongs to.
public struct EmbeddedTicket: Sendable, Hashable {
    /// Counts the commands of a session.
    var slot: UInt64
    /// The command within a transaction; 0 outside.
    var part = 0
}

/// What can be subscribed to.
public struct EmbeddedChannel: Sendable, Hashable {
    /// The three kinds of subscription; they do not see each other.
    public enum Kind: Sendable, Hashable {
        /// SUBSCRIBE: one name.
        case name
        /// PSUBSCRIBE: every name that fits a glob.
        case pattern
        /// SSUBSCRIBE: one name, published to with SPUBLISH.
        case shard
    }

    /// The kind.
    public var kind: Kind
    /// The name or the pattern.
    public var name: [UInt8]

    /// Both parts.
    public init(_ kind: Kind, _ name: [UInt8]) {
        self.kind = kind
        self.name = name
    }
}

/// What a session has to ask because it does not know the others.
public enum EmbeddedQuestion: Sendable {
    /// PUBLISH and SPUBLISH: how many have got it (`.count`).
    case publish(channel: [UInt8], message: [UInt8], isSharded: Bool)
    /// PUBSUB CHANNELS and SHARDCHANNELS (`.names`).
    case channels(pattern: [UInt8]?, EmbeddedChannel.Kind)
    /// PUBSUB NUMSUB and SHARDNUMSUB (`.counts`).
    case subscribers([[UInt8]], EmbeddedChannel.Kind)
    /// PUBSUB NUMPAT (`.count`).
    case patternCount
    /// CLIENT LIST and INFO; nil for all (`.clients`).
    case clients(ids: [UInt64]?)
    /// CLIENT KILL: how many (`.count`).
    case kill(ids: [UInt64], addresses: [String], skippingSelf: Bool)
    /// CLIENT UNBLOCK: whether it was waiting (`.count`).
    case unblock(id: UInt64, withError: Bool)
    /// INFO (`.statistics`).
    case statistics
}

/// What came of an effect.
public enum EmbeddedAnswer: Sendable {
    /// Of a unit.
    case store(StreamOutcome)
    /// A waiting read was ended by CLIENT UNBLOCK with ERROR.
    case unblocked
    /// How many.
    case count(Int64)
    /// Names.
    case names([[UInt8]])
    /// Names with numbers.
    case counts([(name: [UInt8], count: Int64)])
    /// Connections.
    case clients([EmbeddedClient])
    /// The server as a whole.
    case statistics(EmbeddedStatistics)
}

/// One connection, as CLIENT LIST tells it.
public struct EmbeddedClient: Sendable, Equatable {
    /// Counts connections since the start.
    public var id: UInt64
    /// Where it comes from.
    public var address: String
    /// CLIENT SETNAME.
    public var name: [UInt8]
    /// When it began.
    public var connectedAtUnixMilliseconds: UInt64

    /// A connection that has no name yet.
    public init(id: UInt64, address: String, connectedAtUnixMilliseconds: UInt64) {
        self.id = id
        self.address = address
        name = []
        self.connectedAtUnixMilliseconds = connectedAtUnixMilliseconds
    }
}

/// What INFO tells of the server as a whole.
public struct EmbeddedStatistics: Sendable, Equatable {
    /// Connections now.
    public var clients: Int
    /// Of these, those that wait.
    public var blockedClients: Int
    /// Connections since the start.
    public var connections: UInt64
    /// Seconds since the start.
    public var uptimeSeconds: UInt64
    /// Where clients connect, if it is a TCP port.
    public var port: Int
    /// The process.
    public var processID: Int32

    /// All parts.
    public init(
        clients: Int, blockedClients: Int, connections: UInt64, uptimeSeconds: UInt64, port: Int, processID: Int32
    ) {
        self.clients = clients
        self.blockedClients = blockedClients
        self.connections = connections
        self.uptimeSeconds = uptimeSeconds
        self.port = port
        self.processID = processID
    }
}

/// A published message on its way to a subscriber.
public struct EmbeddedMessage: Sendable, Hashable {
    /// The subscription that it comes by.
    public var subscription: EmbeddedChannel
    /// The channel that it was published to.
    public var channel: [UInt8]
    /// What was published.
    public var payload: [UInt8]

    /// All parts.
    public init(subscription: EmbeddedChannel, channel: [UInt8], payload: [UInt8]) {
        self.subscription = subscription
        self.channel = channel
        self.payload = payload
    }
}
