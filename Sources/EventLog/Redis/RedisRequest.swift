/// A command understood: what the store is asked, and how its answer is said.
struct RedisRequest: Sendable, Equatable {
    /// How a reply is said where the reply alone does not tell.
    enum Form: Sendable, Hashable {
        /// The reply tells.
        case plain
        /// When a key ends, in one of the four ways of asking.
        case timeToLive(milliseconds: Bool)
        case endTime(milliseconds: Bool)
        /// Names that a filter by type has left over: none.
        case noNames
        /// An array, also where there is none.
        case array
        /// Entries told by their ids.
        case idsOnly
    }

    var command: StreamCommand
    var form = Form.plain
    /// BLOCK: how long a read waits for something to come; 0 for ever, nil not at all.
    var blockMilliseconds: Int64?

    init(_ command: StreamCommand, form: Form = .plain, blockMilliseconds: Int64? = nil) {
        self.command = command
        self.form = form
        self.blockMilliseconds = blockMilliseconds
    }
}
