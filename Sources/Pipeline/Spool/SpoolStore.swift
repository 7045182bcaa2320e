/// Where spooled messages are kept. Every completion is called once, on any thread, when it is on disk, and in the order
/// of the calls.
public protocol SpoolStore: Sendable {
    /// Keeps a message behind all others of its key.
    func append(
        _ message: SpooledMessage, to key: SpoolKey,
        completion: @escaping @Sendable (Result<StreamEntryID, SpoolFailure>) -> Void)
    /// The oldest messages of a key.
    func load(
        _ key: SpoolKey, most: Int, completion: @escaping @Sendable (Result<[SpooledMessage], SpoolFailure>) -> Void)
    /// Keeps a note of the oldest message of a key that is to be sent on: `SpooledMessage.note`. It takes the place of an
    /// earlier one and goes when the message goes.
    func note(
        _ key: SpoolKey, _ id: StreamEntryID, _ note: StreamEntryID,
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void)
    /// Lets go of all messages of a key up to this one.
    func remove(
        _ key: SpoolKey, through id: StreamEntryID, completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    )
    /// Lets go of one message.
    func remove(
        _ key: SpoolKey, only id: StreamEntryID, completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void)
    /// Keeps a new message apart, for people.
    func keepAside(
        _ message: SpooledMessage, of key: SpoolKey, reason: String,
        completion: @escaping @Sendable (Result<StreamEntryID, SpoolFailure>) -> Void)
    /// Keeps the oldest message of a key apart, for people.
    func setAside(
        _ key: SpoolKey, _ message: SpooledMessage, reason: String,
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void)
    /// Messages of a key, the oldest first, from this id on.
    func records(
        _ key: SpoolKey, _ state: SpoolState, from id: StreamEntryID, most: Int,
        completion: @escaping @Sendable (Result<[SpoolRecord], SpoolFailure>) -> Void)
    /// Puts messages that were set aside behind all others of their key: all of them, or none.
    func restore(
        _ key: SpoolKey, _ messages: [SpooledMessage],
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void)
    /// Lets go of messages that were set aside.
    func discard(
        _ key: SpoolKey, _ messages: [SpooledMessage],
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void)
}

/// The disk was not able to.
public struct SpoolFailure: Error, Sendable, Equatable {
    /// For people.
    public let reason: String

    /// Why.
    public init(reason: String) { self.reason = reason }
}
