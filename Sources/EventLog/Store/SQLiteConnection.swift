import CSQLite

/// What SQLite itself said went wrong: the extended result code and its text.
struct SQLiteError: Error, Equatable {
    var code: Int32
    var message: String

    /// The code without its extension (https://sqlite.org/rescode.html, "Primary Result Codes versus Extended").
    var primaryCode: Int32 { code & 0xff }
}

/// One connection to one database file. Belongs to the thread that opened it, and closes itself.
///
/// Statements must not outlive their connection; `SQLiteStatement` keeps a reference so that they cannot.
final class SQLiteConnection {
    let handle: OpaquePointer

    enum Access {
        case readOnly
        case readWrite
    }

    init(path: String, _ access: Access) throws(SQLiteError) {
        // NOMUTEX: one thread per connection is our own rule, so SQLite need not lock for it.
        let flags =
            SQLITE_OPEN_NOMUTEX
            | (access == .readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
            sqlite3_close_v2(opened)
            throw SQLiteError(code: code, message: message)
        }
        handle = opened
        sqlite3_extended_result_codes(handle, 1)
        // Only checkpoints and backups ever wait for one another.
        sqlite3_busy_timeout(handle, 5_000)
    }

    deinit {
        sqlite3_close_v2(handle)
    }

    /// Runs statements that return nothing of interest.
    func execute(_ sql: String) throws(SQLiteError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        if code != SQLITE_OK { throw lastError(code) }
    }

    /// A statement to be kept and run many times.
    func prepare(_ sql: String) throws(SQLiteError) -> SQLiteStatement {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw lastError(code) }
        return SQLiteStatement(statement, self)
    }

    /// The first column of the first row, for pragmas and counts.
    func integer(_ sql: String) throws(SQLiteError) -> Int64? {
        let statement = try prepare(sql)
        return try statement.step() ? statement.integer(0) : nil
    }

    /// The first column of the first row, as text.
    func text(_ sql: String) throws(SQLiteError) -> String? {
        let statement = try prepare(sql)
        return try statement.step() ? statement.text(0) : nil
    }

    /// False after BEGIN, until the transaction ends for whatever reason; some errors end it by themselves.
    var isAutocommit: Bool { sqlite3_get_autocommit(handle) != 0 }

    /// Rows that the last INSERT, UPDATE or DELETE touched.
    var changes: Int { Int(sqlite3_changes(handle)) }

    func lastError(_ code: Int32) -> SQLiteError {
        SQLiteError(code: sqlite3_extended_errcode(handle), message: String(cString: sqlite3_errmsg(handle)))
    }
}
