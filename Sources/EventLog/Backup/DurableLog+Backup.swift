import Database

/// Copies of whole logs, and logs made from copies.
extension DurableLog {
    /// Copies the log in a directory, open or not, into another directory, which can then be opened as a log.
    ///
    /// Blocks the calling thread, and no writer. False when `progress` ended it.
    public static func backup(
        directory: String, to target: String, progress: (CopyProgress) -> Bool = { _ in true }
    ) throws(LogError) -> Bool {
        try LogCopy.copy(from: LogDatabase(directory: directory), to: target, progress: progress)
    }

    /// Makes a log from a backup, as it was at a moment (nil: as the backup has it), and checks its chains of hashes
    /// before anybody can open it. With a broken chain nothing is restored, unless `acceptsBreaks` says otherwise.
    ///
    /// Events that were trimmed or deleted between the moment and the backup stay away. What groups had read after the
    /// moment is unread again. Nil when one of the two, copying or checking, was ended by its progress.
    public static func restore(
        backup: String, to directory: String, atUnixMilliseconds moment: Int64? = nil, acceptsBreaks: Bool = false,
        copying: (CopyProgress) -> Bool = { _ in true }, checking: (ChainProgress) -> Bool = { _ in true }
    ) throws(LogError) -> [ChainReport]? {
        var reports: [ChainReport] = []
        let isWhole = try LogCopy.copy(
            from: LogDatabase(directory: backup), to: directory, progress: copying
        ) { copy throws(LogError) in
            if let moment { try goBack(copy, to: moment) }
            reports = try copy.read { session throws(SQLiteError) in
                try session.verifyChains(of: nil, progress: checking)
            }
            guard !acceptsBreaks, let broken = reports.first(where: { !$0.isWhole }), let first = broken.firstBreak
            else { return }
            throw .chainBroken(path: backup, stream: broken.stream, first)
        }
        return isWhole ? reports : nil
    }

    private static func goBack(_ copy: LogDatabase, to moment: Int64) throws(LogError) {
        let connection = try copy.openWriter()
        do throws(SQLiteError) {
            try LogSession(connection).goBack(to: moment)
            // All of it in the one file that gets its name afterwards.
            _ = try connection.query("PRAGMA wal_checkpoint(TRUNCATE)")
        } catch {
            throw LogError(error, path: copy.path)
        }
    }
}
