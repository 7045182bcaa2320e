import Database
import Foundation
import Resilience

/// The tables of `thresholds.db`: what keys have learned, the parameter sets they had, and the audit trail.
///
/// Learned state is replaced, sets are kept up to a number per key, the trail is a ring. Belongs to the store's queue.
struct ThresholdDatabase {
    static let fileName = "thresholds.db"
    static let format: Int64 = 2

    /// How much is kept.
    let limits: ThresholdStore.Limits
    private let connection: SQLiteConnection

    /// Opens or makes the database. A damaged one is set aside first, which `setAside` is told: what it held can be
    /// learned again, and a breaker must not wait for a person.
    init(
        directory: String, limits: ThresholdStore.Limits, setAside: (String) -> Void
    ) throws(StoreFailure) {
        self.limits = limits
        let path = Self.path(in: directory)
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw StoreFailure(directory: directory, message: error.localizedDescription)
        }
        do throws(StoreFailure) {
            connection = try Self.open(path)
        } catch  where error.reason == .damaged {
            let aside = path + ".damaged"
            for suffix in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: aside + suffix)
                try? FileManager.default.moveItem(atPath: path + suffix, toPath: aside + suffix)
            }
            setAside(aside)
            connection = try Self.open(path)
        }
    }

    static func path(in directory: String) -> String { directory + "/" + fileName }

    private static func open(_ path: String) throws(StoreFailure) -> SQLiteConnection {
        let found: Int64
        let connection: SQLiteConnection
        do throws(SQLiteError) {
            connection = try SQLiteConnection(path: path, .readWrite, patienceMilliseconds: 2_000)
            // Readers do not stop the writer, and a commit need not reach the disk: what is lost is learned again.
            try connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
            found = try connection.integer("PRAGMA user_version") ?? 0
            if found == 0 { try connection.execute(schema) }
            if found == 1 { try connection.execute(fromFormat1) }
            // A damaged file shows itself in the first read at the latest.
            _ = try connection.integer("SELECT count(*) FROM (SELECT 1 FROM learned LIMIT 1)")
        } catch {
            throw StoreFailure(error, path: path)
        }
        guard found <= format else { throw StoreFailure(newerFormat: found, path: path) }
        return connection
    }

    private static let schema = """
        BEGIN;
        CREATE TABLE learned (
            key TEXT PRIMARY KEY, saved REAL NOT NULL, version INTEGER NOT NULL, state BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE parameter_set (
            key TEXT NOT NULL, version INTEGER NOT NULL, since REAL NOT NULL, \(parameterColumns) REAL NOT NULL,
            PRIMARY KEY (key, version)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT, unix REAL NOT NULL, key TEXT NOT NULL, parameter TEXT NOT NULL,
            old REAL NOT NULL, proposed REAL NOT NULL, applied REAL NOT NULL, limited_by TEXT NOT NULL,
            actor TEXT NOT NULL, shadow INTEGER NOT NULL, version INTEGER NOT NULL, detector TEXT NOT NULL,
            exemplar BLOB, calls REAL NOT NULL, calls_per_second REAL NOT NULL, failure_share REAL NOT NULL,
            overdispersion REAL NOT NULL, log_latency_mean REAL, log_latency_variance REAL NOT NULL,
            slow_share REAL NOT NULL, deviations REAL NOT NULL, window_seconds REAL NOT NULL, slow_quantile REAL,
            outage_seconds REAL
        ) STRICT;
        CREATE INDEX audit_of_key ON audit (key, number);
        PRAGMA user_version = \(format);
        COMMIT
        """

    /// Version 1 did not know how long outages last.
    private static let fromFormat1 =
        "BEGIN; ALTER TABLE audit ADD COLUMN outage_seconds REAL; PRAGMA user_version = 2; COMMIT"

    private static let parameterColumns = BreakerParameter.allCases.map(\.name).joined(separator: " REAL NOT NULL, ")

    /// Lets the file grow no further than this, or than it is.
    func limitPages(to pages: Int) { try? connection.execute("PRAGMA max_page_count = \(pages)") }

    // MARK: Writing

    /// Writes all of it, or nothing.
    func write(states: [StoredKey], records: [AuditRecord]) throws(StoreFailure) {
        do throws(SQLiteError) {
            try connection.execute("BEGIN IMMEDIATE")
            do throws(SQLiteError) {
                for state in states { try write(state) }
                for record in records { try write(record) }
                try trim(afterRecords: records)
                try connection.execute("COMMIT")
            } catch {
                // Some errors have ended the transaction already.
                try? connection.execute("ROLLBACK")
                throw error
            }
        } catch {
            throw StoreFailure(error, path: Self.fileName)
        }
    }

    private func write(_ key: StoredKey) throws(SQLiteError) {
        try connection.query(
            "INSERT OR REPLACE INTO learned (key, saved, version, state) VALUES (?, ?, ?, ?)",
            [
                .text(key.key), .real(key.state.savedUnixSeconds), .integer(Int64(key.state.version)),
                .blob(key.state.bytes),
            ])
    }

    private func write(_ record: AuditRecord) throws(SQLiteError) {
        try connection.query(AuditRow.insert, AuditRow.values(record))
        guard let parameters = record.parameters else { return }
        let values = BreakerParameter.allCases.map { SQLiteValue.real(parameters[$0]) }
        let places = String(repeating: ", ?", count: 3 + values.count).dropFirst(2)
        try connection.query(
            "INSERT OR REPLACE INTO parameter_set VALUES (\(places))",
            [.text(record.key), .integer(Int64(record.change.version)), .real(record.change.unixSeconds)] + values)
        try connection.query(
            "DELETE FROM parameter_set WHERE key = ? AND version <= ?",
            [.text(record.key), .integer(Int64(record.change.version) - Int64(limits.parameterSetsPerKey))])
    }

    /// Keeps the newest records, and the keys that were saved last.
    private func trim(afterRecords records: [AuditRecord]) throws(SQLiteError) {
        if !records.isEmpty {
            try connection.query(
                "DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?",
                [.integer(Int64(limits.auditRecords))])
        }
        guard let keys = try connection.integer("SELECT count(*) FROM learned"), keys > limits.keys else { return }
        try connection.query(
            "DELETE FROM learned WHERE key IN (SELECT key FROM learned ORDER BY saved LIMIT ?)",
            [.integer(keys - Int64(limits.keys))])
    }

    // MARK: Reading

    /// The state of each key, the newest first; states that cannot be read are left out and counted.
    func load() throws(StoreFailure) -> (keys: [StoredKey], unreadable: Int) {
        let rows = try read(
            "SELECT key, state FROM learned ORDER BY saved DESC LIMIT ?", [.integer(Int64(limits.keys))])
        var keys: [StoredKey] = []
        for row in rows {
            guard case .text(let key) = row[0], case .blob(let bytes) = row[1],
                let state = try? LearnedState(bytes: bytes)
            else { continue }
            keys.append(StoredKey(key: key, state: state))
        }
        return (keys, rows.count - keys.count)
    }

    private func read(_ sql: String, _ parameters: [SQLiteValue]) throws(StoreFailure) -> [[SQLiteValue]] {
        do throws(SQLiteError) {
            return try connection.query(sql, parameters)
        } catch {
            throw StoreFailure(error, path: Self.fileName)
        }
    }
}
