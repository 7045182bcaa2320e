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

/// Copies the database of a log, open or not, page by page (https://sqlite.org/backup.html).
///
/// The source is read in one transaction, so the copy shows one moment however long it takes, and writers go on.
enum LogCopy {
    /// Copies into a directory, which must not hold a log. `progress` is called after each piece; false from it stops,
    /// and leaves nothing.
    static func copy(
        from source: LogDatabase, to directory: String, pagesAtOnce: Int32,
        progress: (CopyProgress) -> Bool
    ) throws(LogError) -> Bool {
        let target = LogDatabase(directory: directory)
        let lock = try DirectoryLock(directory: directory)
        defer { lock.release() }
        guard access(target.path, F_OK) != 0 else {
            throw .directoryUnusable(path: directory, reason: "it holds an event log already")
        }
        // Under another name until it is whole, so that nobody takes half a copy for a log.
        let partial = target.path + ".partial"
        unlink(partial)
        let isWhole: Bool
        do throws(SQLiteError) {
            isWhole = try copy(source.openReaderForCopy(), to: partial, pagesAtOnce, progress)
        } catch {
            unlink(partial)
            throw LogError(error, path: partial)
        }
        guard isWhole else {
            unlink(partial)
            return false
        }
        guard rename(partial, target.path) == 0 else {
            throw .directoryUnusable(path: directory, reason: String(cString: strerror(errno)))
        }
        try synchronize(directory)
        return true
    }

    private static func copy(
        _ source: SQLiteConnection, to path: String, _ pagesAtOnce: Int32, _ progress: (CopyProgress) -> Bool
    ) throws(SQLiteError) -> Bool {
        // The transaction holds the moment; without it each write of others would begin the copy anew.
        try source.execute("BEGIN")
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
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw .directoryUnusable(path: directory, reason: String(cString: strerror(errno)))
        }
        close(descriptor)
    }
}

extension LogDatabase {
    fileprivate func openReaderForCopy() throws(SQLiteError) -> SQLiteConnection {
        try SQLiteConnection(path: path, .readOnly)
    }
}
