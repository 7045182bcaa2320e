/// How publishes that carry an idempotency key are tried again.
public struct PublishRetryLimits: Sendable, Hashable {
    /// From the first failure of a publish on; then its client is told.
    public var withinNanoseconds: UInt64
    /// Publishes of one connection that wait for their reply and are kept so that they can be tried again. Brokers may
    /// remember few: Redis 100 keys of a producer unless told otherwise (IDMP-MAXSIZE), and a key that it has forgotten
    /// is no key.
    public var messagesMax: Int
    /// Bytes of them.
    public var bytesMax: Int

    /// The bounds have usual values.
    public init(withinNanoseconds: UInt64, messagesMax: Int = 64, bytesMax: Int = 1 << 20) {
        self.withinNanoseconds = withinNanoseconds
        self.messagesMax = messagesMax
        self.bytesMax = bytesMax
    }
}
