import Database

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How far a copy is.
public struct CopyProgress: Sendable, Hashable {
    /// Pages of the database that are copied.
    public var pagesCopied: Int
    /// Pages there are.
    public var pages: Int
}

/// Copies the database of a log, open or not, page by page.
///
/// The source is read in one transaction, so the copy shows one moment however long it takes, and writers go on.
enum LogCopy {
    private static let pagesAtOnce: Int32 = 1_024

    /// Copies into a directory, which must not hold a log. `progress` is called after each piece; false from it stops,
    /// and leaves nothing. `prepare` may work on the copy before anybody else can see it, and leaves nothing when it
    /// throws.
    static func copy(
        from source: LogDatabase, to directory: String, progress: (CopyProgress) -> Bool,
        prepare: (LogDatabase) throws(LogError) -> Void = { _ in }
    ) throws(LogError) -> Bool {
        let lock = try DirectoryLock(directory: directory)
        defer { lock.release() }
        guard access(LogDatabase(directory: directory).path, F_OK) != 0 else {
            throw .directoryUnusable(path: directory, reason: "it holds an event log already")
        }
        return try replace(in: directory, from: source.openReaderForCopy(), progress: progress, prepare: prepare)
    }

    /// Copies what a connection sees into a directory that is locked, in place of what is there. Nobody sees half of
    /// it: it has another name until it is whole.
    static func replace(
        in directory: String, from source: SQLiteConnection, progress: (CopyProgress) -> Bool,
        prepare: (LogDatabase) throws(LogError) -> Void = { _ in }
    ) throws(LogError) -> Bool {
        let partial = LogDatabase(directory: directory, file: LogDatabase.fileName + ".partial")
        partial.remove()
        var isInPlace = false
        defer { if !isInPlace { partial.remove() } }
        do throws(SQLiteError) {
            guard try copy(source, to: partial.path, progress) else { return false }
        } catch {
            throw LogError(error, path: partial.path)
        }
        try prepare(partial)
        guard rename(partial.path, LogDatabase(directory: directory).path) == 0 else {
            throw .directoryUnusable(path: directory, reason: String(cString: strerror(errno)))
        }
        isInPlace = true
        try synchronize(directory)
        return true
    }

    private static func copy(
        _ source: SQLiteConnection, to path: String, _ progress: (CopyProgress) -> Bool
    ) throws(SQLiteError) -> Bool {
        // The transaction holds the moment; without it each write of others would begin the copy anew.
        let isOurs = source.isAutocommit
        if isOurs { try source.execute("BEGIN") }
        defer { if isOurs { try? source.execute("ROLLBACK") } }
        _ = try source.integer("SELECT count(*) FROM counter")
        let target = try SQLiteConnection(path: path, .readWrite)
        try target.execute("PRAGMA synchronous = FULL")
        return try source.copy(to: target, pagesAtOnce: pagesAtOnce) { copied, pages in
            progress(CopyProgress(pagesCopied: copied, pages: pages))
        }
    }

    /// A new name in a directory is on disk only when the directory is.
    private static func synchronize(_ directory: String) throws(LogError) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        let isOnDisk = descriptor >= 0 && fsync(descriptor) == 0
        let reason = errno
        if descriptor >= 0 { close(descriptor) }
        guard isOnDisk else { throw .directoryUnusable(path: directory, reason: String(cString: strerror(reason))) }
    }
}

extension LogDatabase {
    /// A reader without settings of its own. Refuses what is no log before anything is made elsewhere.
    func openReaderForCopy() throws(LogError) -> SQLiteConnection {
        try read { _ in }
        return try openReader()
    }

    /// Deletes the file with all that SQLite puts beside it.
    func remove() {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
    }
}
