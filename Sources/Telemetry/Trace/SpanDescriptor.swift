/// What all spans of one kind of operation on one destination have in common, and so what the encoder may prepare once.
public struct SpanDescriptor: Hashable, Sendable {
    /// `service.name` of the resource that these spans belong to.
    public var service: String
    /// `messaging.system`.
    public var system: String
    /// `messaging.operation.name`: the system's own word.
    public var operation: String
    /// Nil for a span that is no operation of a client: the time in the queue.
    public var operationType: OperationType?
    /// `messaging.destination.name`; empty for operations without one.
    public var destination: String
    /// `messaging.destination.template`; empty when there is none.
    public var template: String
    /// `messaging.consumer.group.name`; empty when there is none.
    public var group: String
    /// `server.*` and `network.peer.*`.
    public var broker: BrokerAddress

    /// A template or a group that does not apply is empty.
    public init(
        service: String, system: String, operation: String, operationType: OperationType?, destination: String,
        template: String = "", group: String = "", broker: BrokerAddress
    ) {
        self.service = service
        self.system = system
        self.operation = operation
        self.operationType = operationType
        self.destination = destination
        self.template = template
        self.group = group
        self.broker = broker
    }

    /// `{operation} {destination}`, the template before the name
    /// (OpenTelemetry semantic conventions 1.44, messaging-spans, "Span name").
    public var spanName: String {
        if !template.isEmpty { return "\(operation) \(template)" }
        if !destination.isEmpty { return "\(operation) \(destination)" }
        return operation
    }
}

/// The broker as the application's configuration names it, and the peer that was really reached.
public struct BrokerAddress: Hashable, Sendable {
    /// `server.address`: a host name, an address, or a unix socket's path.
    public var server: String
    /// `server.port`; 0 for a unix socket.
    public var port: Int
    /// `network.peer.address`; empty when unknown.
    public var peer: String
    /// `network.peer.port`; 0 when unknown.
    public var peerPort: Int

    /// A peer that is not known is empty and 0.
    public init(server: String, port: Int, peer: String = "", peerPort: Int = 0) {
        self.server = server
        self.port = port
        self.peer = peer
        self.peerPort = peerPort
    }
}

/// `messaging.operation.type` (semantic conventions 1.44).
public enum OperationType: String, Sendable, Hashable {
    case create
    case send
    case receive
    case process
    case settle
}

/// The number of a `SpanDescriptor` in the `SpanCatalog`.
public struct SpanDescriptorID: Hashable, Sendable {
    /// Position in the catalog.
    public let index: UInt32

    /// Names what stands at `index`.
    public init(index: UInt32) {
        self.index = index
    }
}

/// The number of a short text (error type, consumer, client, destination, group) in the `NameTable`.
public struct NameID: Hashable, Sendable {
    /// Position in the table.
    public let index: UInt32

    /// Names what stands at `index`.
    public init(index: UInt32) {
        self.index = index
    }

    /// The empty text.
    public static let none = NameID(index: 0)
    /// What stands for every name beyond the table's capacity: `_other`.
    public static let other = NameID(index: 1)
}
