// Names of members are those of the JSON that programs read.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
/// One parameter of one circuit breaker.
public struct ThresholdView: Codable, Hashable, Sendable {
    public var listener: String
    public var key: String
    public var parameter: String
    /// What the breaker works with.
    public var applied: Double
    /// What would act if nothing held it back.
    public var learned: Double
    /// The operator's bounds.
    public var minimum: Double?
    public var maximum: Double?

    public init(
        listener: String, key: String, parameter: String, applied: Double, learned: Double, minimum: Double?,
        maximum: Double?
    ) {
        self.listener = listener
        self.key = key
        self.parameter = parameter
        self.applied = applied
        self.learned = learned
        self.minimum = minimum
        self.maximum = maximum
    }

    private enum CodingKeys: String, CodingKey {
        case listener, key, parameter, applied, learned
        case minimum = "min"
        case maximum = "max"
    }
}

/// The answer of `/api/v1/thresholds`.
public struct ThresholdList: Codable, Hashable, Sendable {
    /// Breaker by breaker.
    public var thresholds: [ThresholdView]

    /// A list of these.
    public init(thresholds: [ThresholdView]) { self.thresholds = thresholds }
}

// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
/// One entry of the audit trail: a changed parameter, or a breaker that changed its state.
public struct GuardRecordView: Codable, Hashable, Sendable {
    public var time: String
    public var listener: String
    public var key: String
    /// threshold or state.
    public var what: String
    /// The parameter; nil for a state.
    public var parameter: String?
    public var old: String
    public var new: String
    /// What the formula asked for; nil for a state.
    public var proposed: String?
    /// What limited a change, or why a state changed.
    public var reason: String
    /// Who did it.
    public var actor: String
    /// The change was recorded and does not act.
    public var isShadow: Bool
    /// The numbers it rests on, by name.
    public var evidence: [String: Double]
    public var detector: String?
    public var traceID: String?

    public init(
        time: String, listener: String, key: String, what: String, parameter: String?, old: String, new: String,
        proposed: String?, reason: String, actor: String, isShadow: Bool, evidence: [String: Double],
        detector: String?, traceID: String?
    ) {
        self.time = time
        self.listener = listener
        self.key = key
        self.what = what
        self.parameter = parameter
        self.old = old
        self.new = new
        self.proposed = proposed
        self.reason = reason
        self.actor = actor
        self.isShadow = isShadow
        self.evidence = evidence
        self.detector = detector
        self.traceID = traceID
    }

    private enum CodingKeys: String, CodingKey {
        case time, listener, key, what, parameter, old, new, proposed, reason, actor, evidence, detector
        case isShadow = "shadow"
        case traceID = "trace_id"
    }
}

/// The answer of `/api/v1/thresholds/history`.
public struct GuardHistoryList: Codable, Hashable, Sendable {
    /// Newest first.
    public var records: [GuardRecordView]

    /// A list of these.
    public init(records: [GuardRecordView]) { self.records = records }
}

// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
/// Why the parameters of one breaker are what they are: the answer of `/api/v1/thresholds/explain`.
public struct ThresholdExplanationView: Codable, Hashable, Sendable {
    public struct Parameter: Codable, Hashable, Sendable {
        public var parameter: String
        public var sentences: [String]

        public init(parameter: String, sentences: [String]) {
            self.parameter = parameter
            self.sentences = sentences
        }
    }

    public var listener: String
    public var key: String
    public var parameters: [Parameter]

    public init(listener: String, key: String, parameters: [Parameter]) {
        self.listener = listener
        self.key = key
        self.parameters = parameters
    }
}
