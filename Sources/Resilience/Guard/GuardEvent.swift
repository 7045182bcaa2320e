/// Something that a guard's beat brought and that people may want to know.
public enum GuardEvent: Sendable {
    /// The breaker changed its state; in shadow, it would have.
    case transition(BreakerTransition)
    /// A threshold was changed, or a proposal refused.
    case threshold(ThresholdChange)
    /// The key began, or ceased, to exceed a learned threshold without being worth opening for.
    case degraded(Bool)
    /// Slowness is met with a smaller load from now on, or no longer.
    case relief(LoadRelief.Change)
    /// Detector B has scored the last minute.
    case scored(KeyLearning.AnomalyScores)
    /// Latency or lag will reach a limit soon; told once each time.
    case breachAhead(KeyLearning.Foresight)
    /// Something about the flow of messages has been unusual for half a minute, by so many deviations.
    case unusual(FlowSignal, deviations: Double)
    /// A level that was an anomaly for long is taken for normal from now on.
    case regimeAccepted
}
