import Database

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps SQLite from writing over frames of a log's write-ahead log before they are copied.
///
/// A read transaction, `pin`, is open nearly all the time. While it is there, SQLite does not begin its write-ahead log
/// anew over frames behind it; or, when all frames were in the database already, does so once, and the new frames can be
/// read from their beginning (https://sqlite.org/wal.html#ckpt). Its successor begins while `gate`, a write transaction
/// that writes nothing, keeps the writer out.
final class SourceHold {
    private let database: LogDatabase
    private let gate: SQLiteConnection
    private let pin: SQLiteConnection
    private let file: (device: dev_t, number: ino_t)

    /// Opens what is needed, and begins nothing.
    init(_ database: LogDatabase) throws(LogError) {
        self.database = database
        guard let file = Self.file(database.path) else {
            throw .directoryUnusable(path: database.path, reason: String(cString: strerror(errno)))
        }
        self.file = file
        pin = try database.openReader()
        do throws(SQLiteError) {
            gate = try SQLiteConnection(path: database.path, .readWrite, patienceMilliseconds: 0)
        } catch {
            throw LogError(error, path: database.path)
        }
    }

    private static func file(_ path: String) -> (device: dev_t, number: ino_t)? {
        var status = stat()
        return stat(path, &status) == 0 ? (status.st_dev, status.st_ino) : nil
    }

    /// Whether the file under the log's name is still the one that was opened.
    var isOfSameFile: Bool { Self.file(database.path).map { $0 == file } ?? false }

    /// Begins to hold what is committed from now on, and returns what sees the moment before it.
    func take() throws(LogError) -> SQLiteConnection {
        do throws(SQLiteError) {
            try beginReading()
        } catch {
            throw LogError(error, path: database.path)
        }
        return pin
    }

    /// Moves all frames into the database and holds only what comes then, so that the write-ahead log can begin anew.
    /// The writer must be kept out, and everything must be copied.
    func renew() throws(LogError) {
        do throws(SQLiteError) {
            try pin.execute("ROLLBACK")
            let sweeper = try SQLiteConnection(path: database.path, .readWrite)
            try sweeper.execute("PRAGMA synchronous = FULL")
            _ = try sweeper.query("PRAGMA wal_checkpoint(PASSIVE)")
            try beginReading()
        } catch {
            throw LogError(error, path: database.path)
        }
    }

    /// A transaction has its moment only from its first read.
    private func beginReading() throws(SQLiteError) {
        try pin.execute("BEGIN")
        _ = try pin.integer("SELECT count(*) FROM counter")
    }

    /// Does `work` while the log's writer waits. False, and nothing done, when it could not be kept out: it leaves
    /// little time between two transactions, so this asks often, for two seconds.
    func keepingWriterOut(_ work: () throws(LogError) -> Void) throws(LogError) -> Bool {
        for _ in 0..<10_000 {
            do throws(SQLiteError) {
                try gate.execute("BEGIN IMMEDIATE")
            } catch {
                guard error.kind == .busy else { throw LogError(error, path: database.path) }
                usleep(200)
                continue
            }
            defer { try? gate.execute("ROLLBACK") }
            try work()
            return true
        }
        return false
    }
}
