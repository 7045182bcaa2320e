import CSQLite

extension SQLiteConnection {
    /// Copies the whole database, as this connection sees it, into another one (https://sqlite.org/backup.html).
    ///
    /// Inside a transaction the copy shows one moment however long it takes, and writers go on. `progress` is called
    /// after each piece with the pages that are copied and those there are; false from it stops the copy, which is
    /// then of no use. False when it was stopped.
    package func copy(
        to target: SQLiteConnection, pagesAtOnce: Int32, progress: (_ copied: Int, _ pages: Int) -> Bool
    ) throws(SQLiteError) -> Bool {
        guard let backup = sqlite3_backup_init(target.handle.pointer, "main", handle.pointer, "main") else {
            throw target.handle.lastError
        }
        var code: Int32
        var goesOn = true
        repeat {
            code = sqlite3_backup_step(backup, pagesAtOnce)
            let pages = Int(sqlite3_backup_pagecount(backup))
            goesOn = progress(pages - Int(sqlite3_backup_remaining(backup)), pages)
        } while code == SQLITE_OK && goesOn
        let end = sqlite3_backup_finish(backup)
        if code != SQLITE_DONE, code != SQLITE_OK || end != SQLITE_OK { throw target.handle.lastError }
        return code == SQLITE_DONE
    }
}
