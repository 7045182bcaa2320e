/// What one guard watches over: one kind of operation on one destination, or a whole upstream.
public struct GuardKey: Hashable, Sendable {
    /// The number of the listener by whose upstream the calls go.
    public var listener: UInt32
    /// The name of that listener.
    public var listenerName: String
    /// What the calls do.
    public var operation: GuardedOperation
    /// The stream, channel or subject; empty for what all destinations of the operation share.
    public var destination: String
    /// The consumer group; empty where there is none.
    public var group: String

    /// A key of its parts; without a destination it is the parent of all keys of the operation.
    public init(
        listener: UInt32, listenerName: String, operation: GuardedOperation, destination: String = "",
        group: String = ""
    ) {
        self.listener = listener
        self.listenerName = listenerName
        self.operation = operation
        self.destination = destination
        self.group = group
    }

    /// How people and errors call it: `orders publish`, `orders/workers receive`, `upstream`, `secondary`. Unique within a listener.
    public var name: String {
        guard operation != .upstream, operation != .secondary else { return operation.rawValue }
        let place = destination.isEmpty ? Self.anyDestination : destination
        return "\(group.isEmpty ? place : "\(place)/\(group)") \(operation.rawValue)"
    }

    /// What all destinations of the operation share.
    public var parent: GuardKey {
        GuardKey(listener: listener, listenerName: listenerName, operation: operation)
    }

    /// A guard of all destinations that have none of their own, or of an upstream.
    public var isParent: Bool { destination.isEmpty && group.isEmpty }

    private static let anyDestination = "*"
}

/// The kinds of call that are watched apart: they fail and slow down for different reasons.
public enum GuardedOperation: String, Sendable, CaseIterable {
    case publish
    case receive
    case acknowledge
    /// Connections to an upstream, and the calls on them that belong to no destination.
    case upstream
    /// What is published to the second broker of a listener, whatever the destination.
    case secondary
}
