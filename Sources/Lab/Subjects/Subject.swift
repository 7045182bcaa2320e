/// How a call ended.
public enum CallEnding: Sendable, Hashable {
    /// Answered without error, however slowly.
    case success
    /// Answered with an error of the destination.
    case error
    /// The client gave up.
    case timeout
    /// Not taken.
    case refused
}

/// Leave to send a call. The number means something to the subject that gave it only.
public struct Permit: Sendable, Hashable {
    /// For example the generation of the state that admitted the call.
    public var mark: UInt64

    /// A permit.
    public init(mark: UInt64 = 0) { self.mark = mark }
}

/// A call that has ended.
public struct EndedCall: Sendable, Hashable {
    /// What it was sent with.
    public var permit: Permit
    /// When it was sent.
    public var began: UInt64
    /// From sending to end.
    public var latencyNanoseconds: UInt64
    /// How it ended.
    public var ending: CallEnding

    /// An ended call.
    public init(permit: Permit, began: UInt64, latencyNanoseconds: UInt64, ending: CallEnding) {
        self.permit = permit
        self.began = began
        self.latencyNanoseconds = latencyNanoseconds
        self.ending = ending
    }

    /// Not answered, or with an error.
    public var hasFailed: Bool { ending != .success }
}

/// What an observer sees of a breaker.
public enum Stance: Sendable, Hashable {
    /// Everything passes.
    case closed
    /// Closed, but only a share passes.
    case limited
    /// Some pass, to see how they fare.
    case halfOpen
    /// Nothing passes.
    case open
}

/// Something that stands between client and destination and decides about calls. Each is written from the documented
/// rules of the system it is named after; time is the run's, in nanoseconds.
public protocol Subject: Sendable {
    /// What an observer sees now.
    var stance: Stance { get }
    /// Parameters that it has changed by itself so far.
    var parameterChanges: Int { get }
    /// It has told somebody that the destination is not well, other than by opening.
    var isWarning: Bool { get }
    /// Every 100 ms, arrivals or not.
    mutating func beat(now: UInt64)
    /// A call wants to go; nil rejects it.
    mutating func admit(now: UInt64) -> Permit?
    /// A call that was admitted has ended.
    mutating func ended(_ call: EndedCall, now: UInt64)
}

extension Subject {
    /// What most breakers do to themselves.
    public var parameterChanges: Int { 0 }
    /// What most breakers tell besides opening.
    public var isWarning: Bool { false }
    /// Most breakers do nothing without a call.
    public mutating func beat(now: UInt64) {}
}

/// No breaker at all: what the fault costs by itself.
public struct NoBreaker: Subject {
    /// Nothing to set.
    public init() {}
    /// Always.
    public var stance: Stance { .closed }
    /// Everything goes.
    public mutating func admit(now: UInt64) -> Permit? { Permit() }
    /// Nobody looks.
    public mutating func ended(_ call: EndedCall, now: UInt64) {}
}
