/// The numbers that a breaker works with: chosen by the tuner, or fixed by an operator.
public struct BreakerParameters: Sendable, Hashable {
    /// Length of the window that failures and slow calls are counted over.
    public var windowSeconds: Double
    /// Calls in the window below which nothing is decided.
    public var minimumCalls: Int
    /// Share of failed calls in the window that opens, 0 to 1.
    public var failureRate: Double
    /// A call that takes longer is slow.
    public var slowCallNanoseconds: UInt64
    /// Share of slow calls in the window that opens, 0 to 1.
    public var slowCallRate: Double
    /// Time from opening to a probe: with fixed parameters the first time; where the breaker adapts, the longest that it
    /// grows to with the length of the outage (`OutageClock`).
    public var openSeconds: Double
    /// Good calls that a half-open round needs; with fixed parameters, also how many of them may be in flight.
    public var halfOpenProbes: Int
    /// Time from the first good calls until all are admitted: with fixed parameters after closing, where the breaker
    /// adapts before.
    public var rampSeconds: Double

    /// The values that act before anything is learned; a slow call is one that would time out. What `adapts` grows into
    /// its open time and out of its ramp.
    public init(timeoutNanoseconds: UInt64, adapts: Bool = false) {
        windowSeconds = 20
        minimumCalls = 20
        failureRate = 0.5
        slowCallNanoseconds = timeoutNanoseconds
        slowCallRate = 0.9
        openSeconds = adapts ? 60 : 2
        halfOpenProbes = 5
        rampSeconds = adapts ? 1 : 3.3
    }
}

/// One of the parameters.
public enum BreakerParameter: UInt8, Sendable, Hashable, CaseIterable {
    case window
    case minimumCalls
    case failureRate
    case slowCall
    case slowCallRate
    case open
    case halfOpenProbes
    case ramp

    /// The name in metrics, in the audit trail and on the command line, with its unit last.
    public var name: String {
        switch self {
        case .window: "window_seconds"
        case .minimumCalls: "minimum_calls"
        case .failureRate: "failure_rate"
        case .slowCall: "slow_call_seconds"
        case .slowCallRate: "slow_call_rate"
        case .open: "open_seconds"
        case .halfOpenProbes: "half_open_probes"
        case .ramp: "ramp_seconds"
        }
    }

    /// The parameter of that name.
    public init?(name: some StringProtocol) {
        guard let parameter = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = parameter
    }

    /// Only whole numbers make sense.
    public var isWhole: Bool { self == .minimumCalls || self == .halfOpenProbes }

    /// The nearest value that a set of parameters can hold: whole numbers, and whole nanoseconds.
    public func nearest(_ value: Double) -> Double {
        isWhole ? value.rounded() : self == .slowCall ? (value * 1e9).rounded() / 1e9 : value
    }

    /// A larger value opens later, or closes with less evidence; of `open`, `halfOpenProbes` and `ramp` a smaller one.
    public var loosensUpwards: Bool {
        switch self {
        case .window, .minimumCalls, .failureRate, .slowCall, .slowCallRate: true
        case .open, .halfOpenProbes, .ramp: false
        }
    }

    /// What the value may be, whatever was learned. The slow-call duration is limited further by timeout and objective.
    public var range: ClosedRange<Double> {
        switch self {
        case .window: 5...60
        case .minimumCalls: 8...40
        case .failureRate: 0.08...0.6
        case .slowCall: 0.005...3600
        case .slowCallRate: 0.2...0.9
        case .open: 1...60
        case .halfOpenProbes: 3...20
        case .ramp: 0.1...10
        }
    }
}

extension BreakerParameters {
    /// A parameter as a number, durations in seconds.
    public subscript(parameter: BreakerParameter) -> Double {
        get {
            switch parameter {
            case .window: windowSeconds
            case .minimumCalls: Double(minimumCalls)
            case .failureRate: failureRate
            case .slowCall: Double(slowCallNanoseconds) / 1e9
            case .slowCallRate: slowCallRate
            case .open: openSeconds
            case .halfOpenProbes: Double(halfOpenProbes)
            case .ramp: rampSeconds
            }
        }
        set {
            switch parameter {
            case .window: windowSeconds = newValue
            case .minimumCalls: minimumCalls = Int(newValue.rounded().clamped(to: 1...1e9))
            case .failureRate: failureRate = newValue
            case .slowCall: slowCallNanoseconds = UInt64((newValue * 1e9).rounded().clamped(to: 1...1e18))
            case .slowCallRate: slowCallRate = newValue
            case .open: openSeconds = newValue
            case .halfOpenProbes: halfOpenProbes = Int(newValue.rounded().clamped(to: 1...1e9))
            case .ramp: rampSeconds = newValue
            }
        }
    }
}

/// The floors and ceilings that an operator has set. They win over everything learned, and over the program's own.
public struct ParameterBounds: Sendable, Hashable {
    private var minimums: [BreakerParameter: Double] = [:]
    private var maximums: [BreakerParameter: Double] = [:]

    /// No bound.
    public init() {}

    /// The least value, if there is one.
    public func minimum(of parameter: BreakerParameter) -> Double? { minimums[parameter] }

    /// The greatest value, if there is one.
    public func maximum(of parameter: BreakerParameter) -> Double? { maximums[parameter] }

    /// Sets either, both or neither. The minimum must not exceed the maximum.
    public mutating func set(_ parameter: BreakerParameter, minimum: Double?, maximum: Double?) {
        if let minimum, let maximum { precondition(minimum <= maximum, "a floor above its ceiling") }
        minimums[parameter] = minimum.map(parameter.nearest)
        maximums[parameter] = maximum.map(parameter.nearest)
    }

    /// The nearest value inside the bounds.
    public func clamp(_ value: Double, _ parameter: BreakerParameter) -> Double {
        min(max(value, minimums[parameter] ?? -.infinity), maximums[parameter] ?? .infinity)
    }
}
