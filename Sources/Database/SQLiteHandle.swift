import CSQLite

/// Keeps a connection of the library open for as long as somebody needs it: the connection, or a statement of it.
final class SQLiteHandle {
    let pointer: OpaquePointer

    /// Set once, before the first connection. Where something else has used the library before, it stays as it is.
    private static let hasConfigured: Bool = tacho_sqlite3_without_memory_statistics() == SQLITE_OK

    init(path: String, flags: Int32) throws(SQLiteError) {
        _ = Self.hasConfigured
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let message = String(cString: opened.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(code))
            sqlite3_close_v2(opened)
            throw SQLiteError(code: code, message: message)
        }
        pointer = opened
    }

    deinit {
        sqlite3_close_v2(pointer)
    }

    /// What went wrong in the last call.
    var lastError: SQLiteError {
        SQLiteError(code: sqlite3_extended_errcode(pointer), message: String(cString: sqlite3_errmsg(pointer)))
    }
}
