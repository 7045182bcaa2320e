import Resilience

/// Leave to open one upstream connection; the guard that gave it hears how it went.
public struct ConnectionPermit {
    fileprivate let ticket: GuardTicket
}

/// Why no upstream connection is tried at the moment.
public struct ConnectionRefusal: Error {
    /// For the client: which guard says so, and when to come again.
    public let text: String
}

/// Whether an upstream connection may be tried.
public enum ConnectionAdmittance {
    /// It may.
    case passes(ConnectionPermit)
    /// The guard of the upstream says no.
    case refused(ConnectionRefusal)
}

/// How an upstream connection came out.
public enum ConnectionOutcome: Sendable {
    /// It is there.
    case opened
    /// Nothing answered in time.
    case timedOut
    /// It was refused, or could not be tried.
    case failed
}

extension Lane {
    /// Asks the guard of the upstream whether a connection may be tried now.
    public func admitConnection(_ listener: ListenerProfile, at now: Instant) -> ConnectionAdmittance {
        switch admit(nil, listener, at: now) {
        case .passes(let ticket): .passes(ConnectionPermit(ticket: ticket))
        case .refused(let refusal): .refused(ConnectionRefusal(text: refusal.text))
        }
    }

    /// Tells the guard how a connection came out. Every permit ends here, once.
    public func connected(_ permit: ConnectionPermit, _ listener: ListenerProfile, _ outcome: ConnectionOutcome) {
        let result: CallResult
        switch outcome {
        case .opened: result = .succeeded
        case .timedOut: result = .failed(.timeout)
        case .failed: result = .failed(.connection)
        }
        completed(permit.ticket, result, latency: nil, listener)
    }
}
