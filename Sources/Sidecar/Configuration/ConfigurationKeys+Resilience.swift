import Resilience

/// The keys of what protects bus and application from each other.
extension ConfigurationKeys {
    static let resilience: [ConfigurationKey<SidecarConfiguration>] =
        switches + retries + fallback + spool + deadLetters + bounds

    private static let switches: [ConfigurationKey<SidecarConfiguration>] = [
        ConfigurationKey(
            "resilience.breaker", \.resilience.breaker, .word(),
            "what circuit breakers do: nothing, work with fixed values, only count what they would refuse, or act on "
                + "what they learn"),
        ConfigurationKey(
            "resilience.on_open", \.resilience.onOpen, .fallback,
            "what is tried, one after the other, for a publish to a stream while its breaker is open or the upstream away: "
                + "the spool below `data`, from where it is sent on later; for Redis also the listener's `secondary`, and "
                + "being kept aside on disk for people; then, and for all other calls, an error"),
        ConfigurationKey(
            "resilience.call_timeout_milliseconds", \.resilience.callTimeoutMilliseconds, .number(10...3_600_000),
            "milliseconds after which a reply that has not come counts as a timeout; it is still passed on"),
        ConfigurationKey(
            "resilience.learning_seconds", \.resilience.learningSeconds, .number(0...31_536_000),
            "seconds for which a new breaker only records what it learns and works with its start values"),
        ConfigurationKey(
            "resilience.objective.good_share", \.resilience.objectiveGoodShare,
            ValueSyntax<Double>.decimal(0.5...0.99999).optional(), default: "none",
            "the share of calls that is promised to succeed; while failures use that up too fast, breakers only tighten"
        ),
        ConfigurationKey(
            "resilience.objective.latency_milliseconds", \.resilience.objectiveLatencyMilliseconds,
            ValueSyntax<Int>.number(1...3_600_000).optional(), default: "none",
            "milliseconds in which calls are promised to be answered; a slower one is slow, whatever is usual"),
        ConfigurationKey(
            "resilience.objective.lag", \.resilience.objectiveLag,
            ValueSyntax<Int>.number(1...1_000_000_000).optional(), default: "none",
            "messages that may wait for their consumers; before that many do, there is a warning"),
        ConfigurationKey(
            "resilience.guards", \.resilience.guards, .number(1...100_000),
            "breakers in the process; further destinations share the one of their operation"),
        ConfigurationKey(
            "resilience.connect_patience_milliseconds", \.resilience.connectPatienceMilliseconds,
            .number(0...60_000),
            "milliseconds for which a new connection tries again to reach an upstream that refuses it"),
        ConfigurationKey(
            "resilience.bulkhead.min", \.resilience.bulkheadMin, .number(1...1_000_000),
            "calls to one destination that may always be under way at once"),
        ConfigurationKey(
            "resilience.bulkhead.max", \.resilience.bulkheadMax, .number(0...1_000_000),
            "the most calls to one destination that may be under way at once, the limit adapts below; 0 sets none"),
        ConfigurationKey(
            "resilience.bulkhead.queue", \.resilience.bulkheadQueue, .number(0...1_000_000),
            "calls that may wait for a place with one destination; their connections are not read meanwhile"),
        ConfigurationKey(
            "resilience.bulkhead.wait_milliseconds", \.resilience.bulkheadWaitMilliseconds, .number(0...60_000),
            "milliseconds that a call may wait for a place before it gets an error"),
        ConfigurationKey(
            "resilience.bulkhead.connection", \.resilience.bulkheadConnection, .number(0...1_000_000),
            "commands of one connection that may wait for their reply when another guarded one begins; 0 sets no limit"),
    ]

    private static let retries: [ConfigurationKey<SidecarConfiguration>] = [
        ConfigurationKey(
            "resilience.retry.publishes", \.resilience.retryPublishes, .word(),
            "whether publishes that fail are tried again where the broker recognises them by a key (IDMP of Redis 8.6, "
                + "Nats-Msg-Id); others never are"),
        ConfigurationKey(
            "resilience.retry.within_milliseconds", \.resilience.retryWithinMilliseconds, .number(10...30_000),
            "milliseconds from its first failure for which a publish is tried again; well within the time for which the "
                + "broker remembers keys (100 s by default in Redis, 2 minutes in NATS)"),
    ]

    private static let spool: [ConfigurationKey<SidecarConfiguration>] = [
        ConfigurationKey(
            "resilience.spool.messages", \.resilience.spoolMessages, .number(1...100_000_000),
            "messages that may be spooled; for more, the next step is tried"),
        ConfigurationKey(
            "resilience.spool.bytes", \.resilience.spoolBytes, .bytes(65_536...1_099_511_627_776),
            "bytes of messages that may be spooled; for more, the next step is tried"),
        ConfigurationKey(
            "resilience.spool.wait_milliseconds", \.resilience.spoolWaitMilliseconds, .number(1...60_000),
            "milliseconds that a client waits for the disk of the spool before the next step is tried, or it gets an error"
        ),
    ]

    private static let deadLetters: [ConfigurationKey<SidecarConfiguration>] = [
        ConfigurationKey(
            "resilience.dead_letters.deliveries", \.resilience.deadLetterDeliveries, .number(0...1_000_000),
            "deliveries without effect, by the broker's count, after which a message of a Redis group is moved to the "
                + "dead letters; 0 moves none"),
        ConfigurationKey(
            "resilience.dead_letters.idle_milliseconds", \.resilience.deadLetterIdleMilliseconds,
            .number(100...86_400_000),
            "milliseconds after which a delivery that was not acknowledged has had no effect; one that was followed by "
                + "another has had none either"),
        ConfigurationKey(
            "resilience.dead_letters.suffix", \.resilience.deadLetterSuffix, .text("a suffix", maximumBytes: 64),
            "what is put behind the name of a stream for that of its dead letters"),
    ]

    private static let bounds: [ConfigurationKey<SidecarConfiguration>] = BreakerParameter.allCases.flatMap {
        [minimum($0), maximum($0)]
    }

    private static func minimum(_ parameter: BreakerParameter) -> ConfigurationKey<SidecarConfiguration> {
        let property: any WritableKeyPath<SidecarConfiguration, Double?> & Sendable = \.resilience[minimum: parameter]
        return ConfigurationKey(
            "resilience.min.\(parameter.name)", property, ValueSyntax<Double>.decimal(allowed(parameter)).optional(),
            default: "none",
            "the least value that breakers may give \(words(parameter))")
    }

    private static func maximum(_ parameter: BreakerParameter) -> ConfigurationKey<SidecarConfiguration> {
        let property: any WritableKeyPath<SidecarConfiguration, Double?> & Sendable = \.resilience[maximum: parameter]
        return ConfigurationKey(
            "resilience.max.\(parameter.name)", property, ValueSyntax<Double>.decimal(allowed(parameter)).optional(),
            default: "none",
            "the greatest value that breakers may give \(words(parameter))")
    }

    /// An operator may leave the range of the tuner, but not of reason.
    private static func allowed(_ parameter: BreakerParameter) -> ClosedRange<Double> {
        switch parameter {
        case .window: 1...600
        case .minimumCalls: 1...100_000
        case .failureRate, .slowCallRate: 0.001...1
        case .slowCall: 0.0001...3_600
        case .open: 0.1...3_600
        case .halfOpenProbes: 1...1_000
        case .ramp: 0.1...600
        }
    }

    private static func words(_ parameter: BreakerParameter) -> String {
        switch parameter {
        case .window: "the window over which calls are judged"
        case .minimumCalls: "the number of calls below which nothing is judged"
        case .failureRate: "the share of failures that opens"
        case .slowCall: "the duration from which a call is slow"
        case .slowCallRate: "the share of slow calls that opens"
        case .open: "the time from opening to the first probe"
        case .halfOpenProbes: "the number of probes before closing"
        case .ramp: "the time in which admission grows back to all calls"
        }
    }
}
