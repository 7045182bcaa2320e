import Database

@testable import EventLog

/// The tables in memory, with every commit under the test's hand.
final class MemoryLog {
    private(set) var session: LogSession
    private let connection: SQLiteConnection

    init() throws {
        connection = try SQLiteConnection(path: ":memory:", .readWrite)
        try connection.execute(LogSchema.statements)
        session = LogSession(connection)
        try session.load()
    }

    /// Begins again with what is in the tables, as after a start.
    func reopen() throws {
        session = LogSession(connection)
        try session.load()
    }

    /// One transaction.
    func commit<Value>(_ work: (LogSession) throws -> Value) throws -> Value {
        try session.statement(.begin).run()
        let value = try work(session)
        try session.flush()
        try session.statement(.commit).run()
        return value
    }

    /// One command in a transaction of its own.
    @discardableResult
    func perform(_ command: StreamCommand, at now: Int64) throws -> StreamReply {
        try commit { try $0.perform(command, now: now) }
    }

    /// The ids that a stream has.
    func ids(_ key: String) throws -> [UInt64] {
        guard
            case .entries(let entries) = try perform(
                .range(StreamRange(key: [UInt8](key), lower: .zero, upper: .max)), at: 0)
        else { return [] }
        return entries.map(\.id.milliseconds)
    }
}
