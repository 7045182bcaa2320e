import Resilience

/// What came of one call, in the words of no particular protocol.
enum CallResult: Equatable {
    /// The broker did what it was asked.
    case succeeded
    /// The broker was not able to.
    case failed(FailureClass)
    /// The broker takes no writes at present, and does everything else: unavailable for whoever publishes, and evidence
    /// that the upstream works.
    case writesRefused
    /// The broker refused, and the client is to blame: evidence that the broker works.
    case mistake
    /// Nobody will know.
    case unknown

    var failure: FailureClass? {
        switch self {
        case .failed(let failure): failure
        case .writesRefused: .unavailable
        case .succeeded, .mistake, .unknown: nil
        }
    }

    /// What it says of the upstream as a whole: what one destination or one kind of command suffers from says nothing of
    /// the others.
    var general: CallResult {
        switch self {
        case .failed(.throttled), .writesRefused: .succeeded
        case .failed, .succeeded, .mistake, .unknown: self
        }
    }
}

/// A call that was let through: which guards hear how it ended.
struct GuardTicket: Sendable {
    private static let nobody: Int32 = -1

    /// The number of the route, or -1.
    private var number = GuardTicket.nobody
    var flags: Flags = []

    struct Flags: OptionSet, Sendable {
        let rawValue: UInt8

        /// The call belongs to the upstream's guard too.
        static let upstream = Flags(rawValue: 1)
        static let probe = Flags(rawValue: 2)
        static let upstreamProbe = Flags(rawValue: 4)
        /// The call took a place in its destination's or its client's limit.
        static let limited = Flags(rawValue: 8)
        /// The call has taken longer than is usual already, and its destination's guard knows.
        static let overdue = Flags(rawValue: 16)
    }

    /// Nobody watches the call.
    static let none = GuardTicket()

    /// A half-open breaker judges by it.
    var isProbe: Bool { !flags.isDisjoint(with: [.probe, .upstreamProbe]) }

    var isNone: Bool { number == Self.nobody && flags.isEmpty }

    /// The route whose guard watches the call.
    var route: RouteID? {
        get { number == Self.nobody ? nil : RouteID(index: Int(number)) }
        set { number = newValue.flatMap { Int32(exactly: $0.index) } ?? Self.nobody }
    }
}

/// Whether a call may go on.
enum Admittance {
    case passes(GuardTicket)
    case refused(GuardRefusal)
}

/// Why a call may not go on, for the protocol to put into words.
struct GuardRefusal {
    /// The guard that said no: `orders publish`.
    var guardName: String
    /// There were too many calls already; nil when the breaker is open.
    var crowd: Crowd?
    /// How long until another try may be let through; nil when nobody can say.
    var retryNanoseconds: UInt64?

    enum Crowd {
        case destination
        case connection
    }

    /// What people read: `breaker 'orders publish' is open, try again in 1.4 s`.
    var text: String {
        switch crowd {
        case .destination: return "bulkhead '\(guardName)' is full, try again soon"
        case .connection: return "bulkhead of this connection is full at '\(guardName)', read its replies first"
        case nil: break
        }
        guard let retryNanoseconds else { return "breaker '\(guardName)' is open, only probes pass; try again soon" }
        // Up to the next tenth, so that whoever waits so long is not too early.
        let tenths = retryNanoseconds / 100_000_000 + 1
        return "breaker '\(guardName)' is open, try again in \(tenths / 10).\(tenths % 10) s"
    }
}
