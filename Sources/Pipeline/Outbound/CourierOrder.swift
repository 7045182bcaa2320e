/// A whole command that goes to a Redis on a connection of the sidecar's own.
public struct CourierOrder: Sendable, Equatable {
    /// Names it in `CourierDelivery`; the one who orders sees to it that it is the only one.
    public var number: UInt64
    /// As it is to be written.
    public var command: [UInt8]
    /// Selected before it is written.
    public var database: Int
    /// On the monotonic clock: when nobody waits for it any more.
    public var deadline: UInt64

    /// All parts.
    public init(number: UInt64, command: [UInt8], database: Int, deadline: UInt64) {
        self.number = number
        self.command = command
        self.database = database
        self.deadline = deadline
    }
}

/// What came of an order. Each gets exactly one.
public struct CourierDelivery: Sendable, Equatable {
    /// That of the order.
    public var number: UInt64
    /// See there.
    public var outcome: CourierOutcome
}

/// What came of a command that a courier was to carry.
public enum CourierOutcome: Sendable, Equatable {
    /// The broker has replied, perhaps with an error.
    case answered(CourierReply)
    /// The broker has certainly not carried it out: it was never written.
    case undone(CourierFailure)
    /// It was written, and no reply has come.
    case unknown(CourierFailure)
}

/// Why a command got no reply.
public enum CourierFailure: Error, Sendable, Equatable {
    /// As many commands, or bytes, are on their way as may be.
    case full
    /// The guard of the upstream lets nothing be connected; for people.
    case guarded(String)
    /// There is no connection, or it was lost.
    case connection
    /// The deadline has passed.
    case timeout
    /// Signing in, or the database, was refused; for people.
    case refused(String)
}

/// One reply, as it came and understood.
public struct CourierReply: Sendable, Equatable {
    /// The whole frame, RESP2.
    public let frame: [UInt8]
    let reply: RedisReply

    /// What it says about the broker.
    var result: CallResult {
        guard case .failure(let text) = reply else { return .succeeded }
        return RedisErrorClass.result(text.span, 0..<text.count)
    }

    /// The id that the broker has given to an entry.
    var entryID: StreamEntryID? { reply.text.flatMap { StreamEntryID($0) } }

    /// The text of an error.
    var failure: [UInt8]? { if case .failure(let text) = reply { text } else { nil } }
}
