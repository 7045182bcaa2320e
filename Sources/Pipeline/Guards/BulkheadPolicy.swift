/// How many calls may be under way at once, and how long others wait for a place.
public struct BulkheadPolicy: Sendable, Equatable {
    /// Calls that may wait for a place with one guard; more are refused at once.
    public var waitingMax: Int
    /// How long a call may wait.
    public var waitNanoseconds: UInt64
    /// Commands of one connection that may wait for their reply when another guarded one begins; 0 for any number.
    public var perConnectionMax: Int

    /// All parts are given.
    public init(waitingMax: Int, waitNanoseconds: UInt64, perConnectionMax: Int) {
        self.waitingMax = waitingMax
        self.waitNanoseconds = waitNanoseconds
        self.perConnectionMax = perConnectionMax
    }
}
