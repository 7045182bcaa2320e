import CSQLite

/// One connection to one database file. Belongs to the thread or queue that opened it, and closes itself.
package final class SQLiteConnection {
    let handle: SQLiteHandle
    /// What `query` has compiled.
    private var statements: [String: SQLiteStatement] = [:]

    /// What a connection may do.
    package enum Access {
        case readOnly
        /// Reads a file that nobody can change, and makes nothing beside it.
        case immutable
        /// Makes the file when there is none.
        case readWrite
    }

    /// Opens a file. `patienceMilliseconds` is how long to wait for what another connection holds.
    package init(path: String, _ access: Access, patienceMilliseconds: Int32 = 5_000) throws(SQLiteError) {
        // NOMUTEX: one thread per connection is our own rule, so SQLite need not lock for it.
        switch access {
        case .readOnly:
            handle = try SQLiteHandle(path: path, flags: SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY)
        case .immutable:
            let flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
            handle = try SQLiteHandle(path: Self.immutableURI(path), flags: flags)
        case .readWrite:
            let flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            handle = try SQLiteHandle(path: path, flags: flags)
        }
        sqlite3_extended_result_codes(handle.pointer, 1)
        sqlite3_busy_timeout(handle.pointer, patienceMilliseconds)
    }

    /// https://sqlite.org/uri.html: three characters have a meaning of their own in a path.
    private static func immutableURI(_ path: String) -> String {
        var uri = "file:"
        for character in path {
            switch character {
            case "%": uri += "%25"
            case "?": uri += "%3f"
            case "#": uri += "%23"
            default: uri.append(character)
            }
        }
        return uri + "?immutable=1"
    }

    /// Runs statements that return nothing of interest.
    package func execute(_ sql: String) throws(SQLiteError) {
        if sqlite3_exec(handle.pointer, sql, nil, nil, nil) != SQLITE_OK { throw handle.lastError }
    }

    /// A statement to be kept and run many times.
    package func prepare(_ sql: String) throws(SQLiteError) -> SQLiteStatement {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle.pointer, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw handle.lastError }
        return SQLiteStatement(statement, handle)
    }

    /// The first column of the first row, for pragmas and counts.
    package func integer(_ sql: String) throws(SQLiteError) -> Int64? {
        let statement = try prepare(sql)
        return try statement.step() ? statement.integer(0) : nil
    }

    /// The first column of the first row, as text.
    package func text(_ sql: String) throws(SQLiteError) -> String? {
        let statement = try prepare(sql)
        return try statement.step() ? statement.text(0) : nil
    }

    /// Runs a statement, compiled once, and returns all of its rows: for what is small and not done often.
    @discardableResult
    package func query(_ sql: String, _ parameters: [SQLiteValue] = []) throws(SQLiteError) -> [[SQLiteValue]] {
        let statement: SQLiteStatement
        if let known = statements[sql] {
            statement = known
        } else {
            statement = try prepare(sql)
            statements[sql] = statement
        }
        for (index, parameter) in parameters.enumerated() { statement.bind(Int32(index + 1), parameter) }
        var rows: [[SQLiteValue]] = []
        while try statement.step() { rows.append(statement.row) }
        return rows
    }

    /// False after BEGIN, until the transaction ends for whatever reason; some errors end it by themselves.
    package var isAutocommit: Bool { sqlite3_get_autocommit(handle.pointer) != 0 }

    /// Rows that the last INSERT, UPDATE or DELETE touched.
    package var changes: Int { Int(sqlite3_changes(handle.pointer)) }
}
