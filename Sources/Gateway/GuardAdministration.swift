public import Telemetry

/// Who answers for the guards of the process: what the admin API asks about breakers and thresholds.
public protocol GuardAdministration: Sendable {
    /// Every breaker.
    func breakers() -> BreakerList
    /// An operator's word about one breaker.
    func set(_ order: BreakerOrder, key: String, listener: String?) throws(GuardProblem) -> BreakerView
    /// Every parameter, or those of one breaker.
    func thresholds(key: String?, listener: String?) throws(GuardProblem) -> ThresholdList
    /// The audit trail, newest first. Waits for a disk.
    func history(key: String?, listener: String?, limit: Int) throws(GuardProblem) -> GuardHistoryList
    /// Why the parameters of one breaker are what they are. Waits for a disk.
    func explanation(key: String, listener: String?) throws(GuardProblem) -> ThresholdExplanationView
}

/// What an operator may say of one breaker.
public enum BreakerOrder: String, Sendable, CaseIterable {
    /// Every call is refused, until another word.
    case open
    /// Every call passes, until another word.
    case close
    /// The breaker decides again.
    case auto
}

/// Why a question about a guard has no answer.
public enum GuardProblem: Error, Sendable {
    /// No breaker is called so.
    case unknownKey
    /// Breakers of these listeners are.
    case ambiguousKey([String])
    /// What is kept on disk cannot be read.
    case storage(String)
}
