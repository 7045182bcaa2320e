import Database

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Opens the file of the log: as its writer, which makes the tables, or as a reader.
struct LogDatabase: Sendable {
    /// The directory of everything.
    let directory: String
    /// The database file in it.
    let path: String

    /// The name that every log's file has in its directory.
    static let fileName = "events.sqlite"

    /// How much of the file the writer keeps in memory: the ends of the trees that it appends to, and all pages of a
    /// transaction, are less. The system's own cache has the rest.
    var writerCacheBytes = 6 << 20
    /// The same for a reader.
    var readerCacheBytes = 2 << 20

    init(directory: String, file: String = Self.fileName) {
        self.directory = directory
        path = directory + "/" + file
    }

    /// The connection of the writer. Refuses what is no log, is damaged at first sight, or is from a later version.
    func openWriter() throws(LogError) -> SQLiteConnection {
        do {
            let connection = try SQLiteConnection(path: path, .readWrite)
            try configure(connection, cacheBytes: writerCacheBytes)
            // WAL: readers go on while the writer writes. FULL: the log is on disk when a commit returns
            // (https://sqlite.org/pragma.html#pragma_synchronous).
            let mode = try connection.text("PRAGMA journal_mode = WAL")
            guard mode == "wal" else {
                throw LogError.directoryUnusable(
                    path: path, reason: "its file system does not support a write-ahead log (mode \(mode ?? "none"))")
            }
            try connection.execute("PRAGMA synchronous = FULL")
            // The last pages of streams are written again with every commit, and into the file once per checkpoint: 16 MiB
            // of log between two make that rare. What a long read made it grow beyond is given back.
            try connection.execute("PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 67108864")
            try check(connection)
            return connection
        } catch let error as SQLiteError {
            throw LogError(error, path: path)
        } catch let error as LogError {
            throw error
        } catch {
            throw .inputOutput(code: 0, detail: "\(error)")
        }
    }

    /// One of many connections that see the last commit as it was when their transaction began.
    func openReader() throws(LogError) -> SQLiteConnection {
        do throws(SQLiteError) {
            do throws(SQLiteError) {
                return try openReader(.readOnly)
            } catch  where (error.kind == .cannotOpen || error.kind == .readOnly) && isComplete {
                // A copy on a file system that is read-only: nothing can be put beside it, and nothing need be.
                return try openReader(.immutable)
            }
        } catch {
            throw LogError(error, path: path)
        }
    }

    private func openReader(_ access: SQLiteConnection.Access) throws(SQLiteError) -> SQLiteConnection {
        let connection = try SQLiteConnection(path: path, access)
        try configure(connection, cacheBytes: readerCacheBytes)
        // The first look at the file, which opening alone does not take.
        _ = try connection.integer("PRAGMA schema_version")
        return connection
    }

    /// Whether everything is in the one file, and nothing in a write-ahead log.
    private var isComplete: Bool {
        var status = stat()
        return stat(path, &status) == 0 && (stat(path + "-wal", &status) != 0 || status.st_size == 0)
    }

    /// Opens a reader and does `work` in one transaction: all of it sees the same moment.
    func read<Value>(_ work: (LogSession) throws(SQLiteError) -> Value) throws(LogError) -> Value {
        let connection = try openReader()
        do throws(SQLiteError) {
            guard try connection.integer("PRAGMA application_id") == LogSchema.applicationID else {
                throw .damaged("it is no event log")
            }
            let session = LogSession(connection)
            try session.statement(.beginRead).run()
            // Nothing is written, so how the transaction ends is of no interest; after a damaged page it cannot commit.
            defer { try? session.statement(.rollback).run() }
            return try work(session)
        } catch {
            throw LogError(error, path: path)
        }
    }

    private func configure(_ connection: SQLiteConnection, cacheBytes: Int) throws(SQLiteError) {
        // A negative size is in KiB (https://sqlite.org/pragma.html#pragma_cache_size).
        try connection.execute("PRAGMA cache_size = -\(cacheBytes >> 10)")
        try connection.execute("PRAGMA temp_store = MEMORY")
    }

    private func check(_ connection: SQLiteConnection) throws {
        let version = try connection.integer("PRAGMA user_version") ?? 0
        let application = try connection.integer("PRAGMA application_id") ?? 0
        if version == 0, application == 0 {
            guard try connection.integer("SELECT count(*) FROM sqlite_schema") == 0 else {
                throw LogError.corrupt(path: path, detail: "it is a database of another program")
            }
            // Both must be set before the first table is made.
            try connection.execute("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
            try connection.execute(LogSchema.statements)
            return
        }
        guard application == LogSchema.applicationID else {
            throw LogError.corrupt(path: path, detail: "it is a database of another program")
        }
        guard version <= LogSchema.version else {
            throw LogError.newerSchema(found: version, supported: LogSchema.version)
        }
        for former in version..<LogSchema.version {
            if let step = LogSchema.steps[former] { try connection.execute(step) }
        }
        // Reads the root pages of all tables; a whole check of a large file would delay every start.
        _ = try connection.integer("SELECT count(*) FROM (SELECT 1 FROM event LIMIT 1)")
        _ = try connection.integer("SELECT count(*) FROM (SELECT 1 FROM stream LIMIT 1)")
    }
}
