public import Resilience

/// One line of the audit trail.
public struct AuditRecord: Sendable, Hashable {
    /// Position in the trail, growing; 0 until it is stored.
    public var number: Int64
    /// Which guard.
    public var key: String
    /// What was changed or refused, and why.
    public var change: ThresholdChange
    /// The set that the change led to, so that it can be restored; nil where nothing changed.
    public var parameters: BreakerParameters?

    /// A record that is to be stored.
    public init(key: String, change: ThresholdChange, parameters: BreakerParameters? = nil, number: Int64 = 0) {
        self.key = key
        self.change = change
        self.parameters = parameters
        self.number = number
    }
}

/// What one key has learned.
public struct StoredKey: Sendable, Hashable {
    /// Which guard.
    public var key: String
    /// What it knows.
    public var state: LearnedState

    /// A key with its state.
    public init(key: String, state: LearnedState) {
        self.key = key
        self.state = state
    }
}

/// A set of parameters that was in force.
public struct StoredParameters: Sendable, Hashable {
    /// Its number within the key.
    public var version: UInt32
    /// Since when, by the wall clock.
    public var unixSeconds: Double
    /// The set.
    public var parameters: BreakerParameters
}
