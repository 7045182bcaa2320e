// Names of members are those of the JSON that programs read; their meaning is in the help of the metrics.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
/// One circuit breaker, as `/api/v1/breakers` and `tacho breakers` show it.
public struct BreakerView: Codable, Hashable, Sendable {
    public var listener: String
    /// `orders publish`: what people and errors call it.
    public var key: String
    public var operation: String
    public var destination: String
    public var group: String
    /// closed, half_open or open.
    public var state: String
    /// fixed, shadow, auto; or trial for an automatic one whose learned values do not act yet.
    public var mode: String
    /// What an operator has said: open, closed; nil for nothing.
    public var override: String?
    /// When the state began.
    public var since: String
    /// Why it began.
    public var reason: String?
    public var callsPerSecond: Double
    /// Share of failed calls that is usual.
    public var failureShare: Double
    public var inFlight: Int
    public var rejected: UInt64
    public var wouldReject: UInt64
    public var opened: UInt64

    public init(
        listener: String, key: String, operation: String, destination: String, group: String, state: String,
        mode: String, override: String?, since: String, reason: String?, callsPerSecond: Double, failureShare: Double,
        inFlight: Int, rejected: UInt64, wouldReject: UInt64, opened: UInt64
    ) {
        self.listener = listener
        self.key = key
        self.operation = operation
        self.destination = destination
        self.group = group
        self.state = state
        self.mode = mode
        self.override = override
        self.since = since
        self.reason = reason
        self.callsPerSecond = callsPerSecond
        self.failureShare = failureShare
        self.inFlight = inFlight
        self.rejected = rejected
        self.wouldReject = wouldReject
        self.opened = opened
    }

    private enum CodingKeys: String, CodingKey {
        case listener, key, operation, destination, group, state, mode, override, since, reason, rejected, opened
        case callsPerSecond = "calls_per_second"
        case failureShare = "failure_share"
        case inFlight = "in_flight"
        case wouldReject = "would_reject"
    }
}

/// The answer of `/api/v1/breakers`.
public struct BreakerList: Codable, Hashable, Sendable {
    /// In the order in which their first calls came.
    public var breakers: [BreakerView]

    /// A list of these.
    public init(breakers: [BreakerView]) { self.breakers = breakers }
}
