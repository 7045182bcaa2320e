import Pipeline
public import Resilience

/// How calls to a broker in trouble are guarded, as the keys `resilience.*` say it.
public struct ResilienceConfiguration: Sendable, Equatable {
    /// What a breaker does.
    public enum Breaker: String, Sendable, CaseIterable {
        /// Nothing is watched.
        case off
        /// It works with its start values, inside the operator's bounds; nothing is learned.
        case fixed
        /// It learns, and counts what it would have refused; every call passes.
        case shadow
        /// It learns, and acts on what it has learned.
        case auto
    }

    /// Default auto.
    public var breaker = Breaker.auto
    /// What is tried for a publish while its breaker is open, or the upstream away. Default fail.
    public var onOpen = FallbackPlan.fail
    /// What is tried for some destinations instead; the first that fits decides.
    public var rules: [ResilienceRule] = []
    /// Milliseconds that a connection to a secondary may take to open. Default 500.
    public var secondaryConnectMilliseconds = 500
    /// Milliseconds that a client waits for the secondary. Default 2,000.
    public var secondaryWaitMilliseconds = 2_000
    /// Milliseconds after which a reply that has not come counts as a timeout. Default 5,000.
    public var callTimeoutMilliseconds = 5_000
    /// Seconds for which a new guard only records what it learns, and works with the start values. Default 300.
    public var learningSeconds = 300
    /// What is promised of every destination, where something is.
    public var objectiveGoodShare: Double?
    /// See `objectiveGoodShare`.
    public var objectiveLatencyMilliseconds: Int?
    /// See `objectiveGoodShare`.
    public var objectiveLag: Int?
    /// Guards in the process; further destinations share the guard of their operation. Default 1,000.
    public var guards = 1_000
    /// Milliseconds for which a new connection tries to reach an upstream that refuses it. Default 1,000.
    public var connectPatienceMilliseconds = 1_000
    /// Calls to one destination that may be under way at once, at least and at most; between them the limit adapts. A
    /// most of 0, the default, sets no limit.
    public var bulkheadMin = 1
    /// See `bulkheadMin`.
    public var bulkheadMax = 0
    /// Calls that may wait for a place with one breaker. Default 100.
    public var bulkheadQueue = 100
    /// Milliseconds that a call may wait for a place. Default 50.
    public var bulkheadWaitMilliseconds = 50
    /// Commands of one connection that may wait for their reply when another begins. Default 0: any number.
    public var bulkheadConnection = 0
    /// Whether publishes that carry an idempotency key are tried again. Default on.
    public var retryPublishes = NATSConfiguration.Switch.on
    /// Milliseconds from its first failure for which such a publish is tried again. Default 2,000.
    public var retryWithinMilliseconds = 2_000
    /// Messages in the spool. Default 100,000.
    public var spoolMessages = 100_000
    /// Bytes of messages in the spool. Default 256 MiB.
    public var spoolBytes = 268_435_456
    /// Milliseconds that a client waits for the disk of the spool. Default 2,000.
    public var spoolWaitMilliseconds = 2_000
    /// Messages kept aside for people. Default 10,000.
    public var asideMessages = 10_000
    /// Bytes of messages kept aside. Default 64 MiB.
    public var asideBytes = 67_108_864
    /// Milliseconds that a client waits until its message is kept aside. Default 2,000.
    public var asideWaitMilliseconds = 2_000
    /// Deliveries without effect after which a message is moved to the dead letters. Default 0: none is moved.
    public var deadLetterDeliveries = 0
    /// Milliseconds after which a delivery that was not acknowledged has had no effect. Default 30,000.
    public var deadLetterIdleMilliseconds = 30_000
    /// What is put behind the name of a stream for that of its dead letters. Default `.dlq`.
    public var deadLetterSuffix = ".dlq"
    private var minimums: [BreakerParameter: Double] = [:]
    private var maximums: [BreakerParameter: Double] = [:]

    /// The defaults.
    public init() {}

    /// The least value that a parameter may get, if there is one.
    public subscript(minimum parameter: BreakerParameter) -> Double? {
        get { minimums[parameter] }
        set { minimums[parameter] = newValue }
    }

    /// The greatest value that a parameter may get, if there is one.
    public subscript(maximum parameter: BreakerParameter) -> Double? {
        get { maximums[parameter] }
        set { maximums[parameter] = newValue }
    }

    /// Parameters whose least value is above their greatest.
    var contradictions: [BreakerParameter] {
        BreakerParameter.allCases.filter { parameter in
            guard let least = minimums[parameter], let most = maximums[parameter] else { return false }
            return least > most
        }
    }

    /// What each guard is told; nil when nothing is guarded.
    var policy: GuardPolicy? {
        guard breaker != .off, let mode = BreakerMode(rawValue: breaker.rawValue) else { return nil }
        return GuardPolicy(
            mode: mode, timeoutNanoseconds: UInt64(callTimeoutMilliseconds) * 1_000_000, bounds: bounds,
            objective: objective, trialSeconds: Double(learningSeconds),
            bulkhead: bulkheadMax > 0 ? min(bulkheadMin, bulkheadMax)...bulkheadMax : nil)
    }

    private var objective: ServiceObjective {
        ServiceObjective(
            goodShare: objectiveGoodShare,
            latencyNanoseconds: objectiveLatencyMilliseconds.map { UInt64($0) * 1_000_000 },
            lag: objectiveLag.map(Double.init))
    }

    /// Who waits for a place, and how long; nil when nobody has to.
    var bulkhead: BulkheadPolicy? {
        // What tunes itself sets a limit by itself where load is what makes calls slow.
        guard bulkheadMax > 0 || bulkheadConnection > 0 || breaker == .auto else { return nil }
        return BulkheadPolicy(
            waitingMax: bulkheadQueue, waitNanoseconds: UInt64(bulkheadWaitMilliseconds) * 1_000_000,
            perConnectionMax: bulkheadConnection)
    }

    /// For how long publishes that carry an idempotency key are tried again; nil where they are not.
    var publishRetries: PublishRetryLimits? {
        guard retryPublishes == .on else { return nil }
        return PublishRetryLimits(withinNanoseconds: UInt64(retryWithinMilliseconds) * 1_000_000)
    }

    /// How much may be stored on our own disk; nil where nothing is.
    var spool: SpoolLimits? {
        guard uses(.spool) || uses(.deadLetter) else { return nil }
        return SpoolLimits(
            messages: spoolMessages, bytes: spoolBytes, waitNanoseconds: UInt64(spoolWaitMilliseconds) * 1_000_000,
            aside: SpoolLimits.Aside(messages: asideMessages, bytes: asideBytes))
    }

    /// Whether this step is tried for some destination.
    func uses(_ step: FallbackStep) -> Bool { onOpen.contains(step) || rules.contains { $0.onOpen.contains(step) } }

    /// When messages are dead, and where they go; nil when none are moved.
    var deadLetters: DeadLetterPolicy? {
        guard deadLetterDeliveries > 0 else { return nil }
        return DeadLetterPolicy(
            deliveriesMax: deadLetterDeliveries, idleMilliseconds: deadLetterIdleMilliseconds, suffix: deadLetterSuffix)
    }

    /// What the operator has set; without contradictions.
    var bounds: ParameterBounds {
        var bounds = ParameterBounds()
        for parameter in BreakerParameter.allCases {
            bounds.set(parameter, minimum: minimums[parameter], maximum: maximums[parameter])
        }
        return bounds
    }
}
