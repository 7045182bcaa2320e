import Resilience
import Telemetry

/// Leave to open one upstream connection; the guard that gave it hears how it went.
public struct ConnectionPermit: Sendable {
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
    /// It was refused, could not be tried, or was lost before anything came.
    case failed
    /// It was given up before anybody knew.
    case unknown
}

extension Lane {
    /// Asks the guard of the upstream whether a connection may be tried now.
    public func admitConnection(_ listener: ListenerProfile, at now: Instant) -> ConnectionAdmittance {
        switch admit(nil, listener, at: now) {
        case .passes(let ticket): .passes(ConnectionPermit(ticket: ticket))
        case .refused(let refusal): .refused(ConnectionRefusal(text: refusal.text))
        }
    }

    /// How long to wait before another try, or nil to give up; both are counted. Full jitter, growing, inside the
    /// budget of the upstream and the patience of the client; a probe of a breaker is never repeated.
    public func retryDelay(
        after permit: ConnectionPermit, _ listener: ListenerProfile, _ outcome: ConnectionOutcome, attempts: Int,
        until deadline: UInt64, now: UInt64
    ) -> UInt64? {
        let failure: FailureClass
        switch outcome {
        case .opened, .unknown: return nil
        case .timedOut: failure = .timeout
        case .failed: failure = .connection
        }
        var call = RetryPolicy.FailedCall(failure, attempts: attempts, isIdempotent: true, isCertainlyUndone: true)
        call.isProbe = permit.ticket.flags.contains(.upstreamProbe)
        let isAdmitted = upstreamGuards.isEmpty || upstreamGuards[Int(listener.number)].cell.word == AdmissionWord.all
        let decision = Self.connectRetries.decide(
            call, &connectBudgets[Int(listener.number)], share: Self.connectRetryShare, isAdmitted: isAdmitted,
            deadline: deadline, now: now, using: &identifiers)
        switch decision {
        case .retry(let delay):
            countRetry(listener, "connect", "retried")
            return delay
        case .refuse(let reason):
            countRetry(listener, "connect", reason.rawValue)
            return nil
        }
    }

    private static let connectRetries = {
        var policy = RetryPolicy()
        policy.attemptsMax = 8
        policy.delayNanosecondsMax = 500_000_000
        return policy
    }()
    /// Of the connections that clients open.
    private static let connectRetryShare = 0.2

    func countRetry(_ listener: ListenerProfile, _ operation: String, _ outcome: String) {
        metrics.counter(MetricCatalog.retries, [listener.name, operation, outcome]).add(1)
    }

    /// Tells the guard how a connection came out. Every permit ends here, once.
    public func connected(_ permit: ConnectionPermit, _ listener: ListenerProfile, _ outcome: ConnectionOutcome) {
        let result: CallResult
        switch outcome {
        case .opened: result = .succeeded
        case .timedOut: result = .failed(.timeout)
        case .failed: result = .failed(.connection)
        case .unknown: result = .unknown
        }
        completed(permit.ticket, result, latency: nil, listener)
        if outcome == .opened {
            connectBudgets[Int(listener.number)].succeeded(now: lastTickAt)
        } else if outcome != .unknown {
            connectBudgets[Int(listener.number)].failed(now: lastTickAt)
        }
    }
}
