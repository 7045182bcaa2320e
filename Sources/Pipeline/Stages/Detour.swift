/// Another way for a command than the client's own upstream connection: somebody else takes it, and says later what has
/// become of it.
public enum Detour: Sendable {
    /// To the disk, to be sent on when the upstream is well again.
    case spool(SpoolRequest)
    /// To a broker, on a connection of the sidecar's own. `number` is the session's own name for it.
    case courier(CourierOrder, to: CourierDestination)
}

/// Which broker a courier goes to.
public enum CourierDestination: Sendable, Hashable {
    /// The listener's upstream.
    case primary
    /// The listener's second broker.
    case secondary
}

/// What came of a detour; each comes to an end once, or was abandoned by the session.
public enum DetourOutcome: Sendable, Equatable {
    /// `number` is that of the request, or of the order.
    case spooled(number: UInt64, SpoolOutcome)
    case carried(number: UInt64, CourierOutcome)
}
