import CSQLite

/// One prepared statement. Binding starts it anew; stepping yields rows. Parameters count from 1, columns from 0.
package final class SQLiteStatement {
    private let statement: OpaquePointer
    private let handle: SQLiteHandle

    init(_ statement: OpaquePointer, _ handle: SQLiteHandle) {
        self.statement = statement
        self.handle = handle
    }

    deinit {
        sqlite3_finalize(statement)
    }

    /// True while there is a row to read. At the end, and after an error, the statement is ready to be bound again and
    /// holds no lock.
    package func step() throws(SQLiteError) -> Bool {
        let code = sqlite3_step(statement)
        switch code {
        case SQLITE_ROW:
            return true
        case SQLITE_DONE:
            sqlite3_reset(statement)
            return false
        default:
            let error = handle.lastError
            sqlite3_reset(statement)
            throw error
        }
    }

    /// Runs a statement that returns no rows.
    package func run() throws(SQLiteError) {
        while try step() {}
    }

    /// Gives up reading before the last row.
    package func reset() {
        sqlite3_reset(statement)
    }

    @discardableResult
    package func bind(_ index: Int32, _ value: Int64) -> Self {
        check(sqlite3_bind_int64(statement, index, value))
        return self
    }

    @discardableResult
    package func bind(_ index: Int32, _ value: Int64?) -> Self {
        if let value { return bind(index, value) }
        check(sqlite3_bind_null(statement, index))
        return self
    }

    @discardableResult
    package func bind(_ index: Int32, _ value: UInt64) -> Self {
        bind(index, Int64(bitPattern: value))
    }

    @discardableResult
    package func bind(_ index: Int32, _ value: UInt64?) -> Self {
        bind(index, value.map { Int64(bitPattern: $0) })
    }

    @discardableResult
    package func bind(_ index: Int32, _ value: String) -> Self {
        var value = value
        value.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                check(tacho_sqlite3_bind_text(statement, index, text.baseAddress, Int32(text.count)))
            }
        }
        return self
    }

    @discardableResult
    package func bind(_ index: Int32, _ value: [UInt8]) -> Self {
        value.withUnsafeBytes { bytes in
            // A blob of no bytes is not NULL, but a nil pointer would make it so.
            if let base = bytes.baseAddress, !bytes.isEmpty {
                check(tacho_sqlite3_bind_blob(statement, index, base, Int32(bytes.count)))
            } else {
                check(sqlite3_bind_zeroblob(statement, index, 0))
            }
        }
        return self
    }

    @discardableResult
    package func bind(_ index: Int32, _ value: [UInt8]?) -> Self {
        if let value { return bind(index, value) }
        check(sqlite3_bind_null(statement, index))
        return self
    }

    func bind(_ index: Int32, _ value: Double) {
        check(sqlite3_bind_double(statement, index, value))
    }

    var columnCount: Int32 { sqlite3_column_count(statement) }

    /// What a column holds, as SQLite numbers its types.
    func type(_ column: Int32) -> Int32 { sqlite3_column_type(statement, column) }

    func real(_ column: Int32) -> Double { sqlite3_column_double(statement, column) }

    package func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    package func unsigned(_ column: Int32) -> UInt64 { UInt64(bitPattern: sqlite3_column_int64(statement, column)) }

    package func optionalInteger(_ column: Int32) -> Int64? {
        sqlite3_column_type(statement, column) == SQLITE_NULL ? nil : sqlite3_column_int64(statement, column)
    }

    package func text(_ column: Int32) -> String? {
        sqlite3_column_text(statement, column).map { String(cString: $0) }
    }

    package func blob(_ column: Int32) -> [UInt8] {
        withBlob(column) { Array($0) }
    }

    package func optionalBlob(_ column: Int32) -> [UInt8]? {
        sqlite3_column_type(statement, column) == SQLITE_NULL ? nil : blob(column)
    }

    /// The bytes where SQLite keeps them: valid inside `body` only.
    package func withBlob<Result>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        // The order matters: `column_bytes` is what the pointer of `column_blob` is good for.
        let base = sqlite3_column_blob(statement, column)
        return body(UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(statement, column))))
    }

    /// Only a wrong parameter number or a running statement is refused here, and both are our own mistakes; memory is
    /// the one other reason.
    private func check(_ code: Int32) {
        precondition(code == SQLITE_OK, "a parameter of a SQL statement could not be bound")
    }
}
