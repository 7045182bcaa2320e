import Database

/// Copies of whole logs, and logs made from copies.
extension DurableLog {
    /// Copies the log in a directory, open or not, into another directory, which can then be opened as a log.
    ///
    /// Blocks the calling thread, and no writer. False when `progress` ended it.
    public static func backup(
        directory: String, to target: String, progress: (CopyProgress) -> Bool = { _ in true }
    ) throws(LogError) -> Bool {
        try LogCopy.copy(
            from: LogDatabase(directory: directory), to: target, pagesAtOnce: 1_024, progress: progress)
    }

    /// Makes a log from a backup, as it was at a moment (nil: as the backup has it), and checks its chains of hashes.
    ///
    /// Events that were trimmed or deleted between the moment and the backup stay away. What groups had read after the
    /// moment is unread again. Nil when `progress` ended it.
    public static func restore(
        backup: String, to directory: String, atUnixMilliseconds moment: Int64? = nil,
        progress: (CopyProgress) -> Bool = { _ in true }
    ) throws(LogError) -> [ChainReport]? {
        let source = LogDatabase(directory: backup)
        guard try LogCopy.copy(from: source, to: directory, pagesAtOnce: 1_024, progress: progress) else { return nil }
        let lock = try DirectoryLock(directory: directory)
        defer { lock.release() }
        let database = LogDatabase(directory: directory)
        if let moment {
            let connection = try database.openWriter()
            do throws(SQLiteError) {
                try LogSession(connection).goBack(to: moment)
            } catch {
                throw LogError(error, path: database.path)
            }
        }
        return try database.read { session throws(SQLiteError) in
            var reports: [ChainReport] = []
            for name in try session.streamNames() {
                if let report = try session.verifyChain(of: name) { reports.append(report) }
            }
            return reports
        }
    }
}
