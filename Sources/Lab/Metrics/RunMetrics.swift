/// What one run came to.
public struct RunMetrics: Sendable, Hashable {
    /// Calls that reached the destination.
    public var admitted = 0
    /// Times that the breaker went from letting calls pass to letting none pass.
    public var opens = 0
    /// From the fault to the first step away from closed; negative while a ramp is not a fault yet; nil if never.
    public var detectSeconds: Double?
    /// From the fault to the first warning; nil if never.
    public var warnSeconds: Double?
    /// Opens while the destination was well and had been for five seconds.
    public var falseOpens = 0
    /// Calls that failed or missed the objective while the destination was faulty.
    public var exposed = 0
    /// Calls that were rejected while the destination was well.
    public var rejectedHealthy = 0
    /// Calls that were rejected in the fault and would have succeeded within the objective.
    public var rejectedGoodInFault = 0
    /// Calls that were rejected in the fault and would have been bad: the good that was done. No part of the loss.
    public var rejectedBadInFault = 0
    /// From the end of the fault to closed at 100 % admission and staying so for five seconds; nil if it never opened.
    public var recoverySeconds: Double?
    /// Opens per minute of fault; of the run if there is none.
    public var opensPerMinute = 0.0
    /// Changes that the subject made to its own parameters.
    public var changesPerHour = 0.0

    /// Exposed calls and both kinds of rejected ones.
    public var loss: Int { exposed + rejectedHealthy + rejectedGoodInFault }
}
