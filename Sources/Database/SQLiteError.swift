import CSQLite

/// What SQLite itself said went wrong: the extended result code and its text.
package struct SQLiteError: Error, Equatable {
    /// The extended result code.
    package var code: Int32
    /// The text that goes with it; nothing of a row is in it.
    package var message: String

    /// An error as SQLite would report it.
    package init(code: Int32, message: String) {
        self.code = code
        self.message = message
    }

    /// What kind of failure the primary code says it is (https://sqlite.org/rescode.html).
    package enum Kind {
        case diskFull
        case readOnly
        case cannotOpen
        case busy
        /// The file is no database, or its pages contradict each other.
        case damaged
        case other
    }

    /// What kind of failure it is.
    package var kind: Kind {
        // The primary code is the extended one's low byte.
        switch code & 0xff {
        case SQLITE_FULL: .diskFull
        case SQLITE_READONLY, SQLITE_PERM: .readOnly
        case SQLITE_CANTOPEN: .cannotOpen
        case SQLITE_BUSY, SQLITE_LOCKED: .busy
        case SQLITE_CORRUPT, SQLITE_NOTADB: .damaged
        default: .other
        }
    }

    /// What a reader says that finds other rows than were written.
    package static func damaged(_ message: String) -> SQLiteError {
        SQLiteError(code: SQLITE_CORRUPT, message: message)
    }
}
