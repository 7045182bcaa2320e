public import Telemetry

/// Who answers for the spool of the process: what the admin API asks about it and orders.
public protocol SpoolAdministration: Sendable {
    /// What is kept of each stream; at most so many streams.
    func streams(_ choice: SpoolChoice, limit: Int) async throws(SpoolProblem) -> SpoolList
    /// Messages in a state, stream by stream, the oldest first; `after` is what the page before said.
    func messages(
        _ choice: SpoolChoice, isWaiting: Bool, after: String?, limit: Int
    ) async throws(SpoolProblem) -> SpoolMessageList
    /// Has messages that were set aside wait again.
    func redrive(
        _ choice: SpoolChoice, limit: Int, isDryRun: Bool
    ) async throws(SpoolProblem) -> SpoolRedriveReport
    /// Deletes messages that were set aside.
    func purge(_ choice: SpoolChoice, limit: Int) async throws(SpoolProblem) -> SpoolPurgeReport
}

/// Which messages of the spool are meant.
public struct SpoolChoice: Sendable, Equatable {
    /// These, `milliseconds-sequence`; none for all that the rest means.
    public var ids: [String] = []
    /// Only of this listener.
    public var listener: String?
    /// Only of this database.
    public var database: Int?
    /// Only of this stream.
    public var stream: String?
    /// Only set aside for this reason.
    public var reason: String?
    /// Only those that came into their state at this time, in milliseconds since 1970.
    public var since: ClosedRange<UInt64>?

    /// All of them.
    public init() {}
}

/// Why a question about the spool has no answer, or an order was not carried out.
public enum SpoolProblem: Error, Sendable, Equatable {
    /// This is no id of a message.
    case badID
    /// This is no place where a page begins.
    case badPlace
    /// Several streams have a message of this id.
    case ambiguousID(String)
    /// Another order is being carried out.
    case busy
    /// The disk is not able to; so many messages were done before.
    case storage(String, done: Int)
}
