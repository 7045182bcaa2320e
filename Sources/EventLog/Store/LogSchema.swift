/// The tables of the log, and the step from an empty file to them.
///
/// * `event` is one b-tree for all streams: the row number is the stream's number (23 bits) and the offset in the stream
///   (40 bits), so that a stream is read in one sweep, and appending writes at the stream's end only. Ids and append
///   times grow with the offset: both are found by bisection and need no index of their own.
/// * `event_index` finds events by what they say (correlation id, trace id, type) through a 64-bit hash. Hashes come in
///   no order, and writing each where it belongs would touch a page per event. So they first go to `index_tail`, in the
///   order of events, and from there a whole bucket of consecutive events at a time, sorted. A look-up costs one descent
///   per bucket and a look through the tail. Entries of removed events stay until their bucket is empty.
/// * `removed` keeps the digest of events that were deleted between others, for the chain of hashes.
/// * Ids in keys are stored with their sign bit turned (`ordered`), since SQLite compares signed numbers.
enum LogSchema {
    /// What this program writes, kept in SQLite's `user_version`.
    static let version: Int64 = 2
    /// "Tach", in the header of the file (https://sqlite.org/pragma.html#pragma_application_id).
    static let applicationID: Int64 = 0x5461_6368

    /// Everything in one transaction.
    static let statements = """
        BEGIN IMMEDIATE;
        PRAGMA application_id = \(applicationID);
        PRAGMA user_version = \(version);

        CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

        CREATE TABLE stream (
            number INTEGER PRIMARY KEY, name BLOB UNIQUE,
            created_ms INTEGER NOT NULL, revision INTEGER NOT NULL, expires_ms INTEGER,
            last_ms INTEGER NOT NULL, last_seq INTEGER NOT NULL,
            max_deleted_ms INTEGER NOT NULL, max_deleted_seq INTEGER NOT NULL,
            entries_added INTEGER NOT NULL, length INTEGER NOT NULL, bytes INTEGER NOT NULL,
            last_offset INTEGER NOT NULL, appended_ms INTEGER NOT NULL, head_hash BLOB NOT NULL,
            anchor_offset INTEGER NOT NULL, anchor_hash BLOB NOT NULL,
            idempotency_seconds INTEGER NOT NULL, idempotency_size INTEGER NOT NULL, duplicates INTEGER NOT NULL,
            options BLOB
        ) STRICT;
        CREATE INDEX stream_expiry ON stream (expires_ms) WHERE expires_ms IS NOT NULL;

        CREATE TABLE event (
            row INTEGER PRIMARY KEY, ms INTEGER NOT NULL, seq INTEGER NOT NULL, position INTEGER NOT NULL,
            appended_ms INTEGER NOT NULL, flags INTEGER NOT NULL, hash BLOB NOT NULL, fields BLOB NOT NULL
        ) STRICT;
        CREATE TABLE removed (row INTEGER PRIMARY KEY, digest BLOB NOT NULL) STRICT;

        CREATE TABLE event_index (
            bucket INTEGER NOT NULL, kind INTEGER NOT NULL, hash INTEGER NOT NULL, row INTEGER NOT NULL,
            PRIMARY KEY (bucket, kind, hash, row)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE index_tail (
            position INTEGER PRIMARY KEY, row INTEGER NOT NULL, correlation INTEGER, trace INTEGER, type INTEGER
        ) STRICT;
        CREATE TABLE bucket (bucket INTEGER PRIMARY KEY, events INTEGER NOT NULL) STRICT;

        CREATE TABLE consumer_group (
            number INTEGER PRIMARY KEY, stream INTEGER NOT NULL, name BLOB NOT NULL,
            last_ms INTEGER NOT NULL, last_seq INTEGER NOT NULL, entries_read INTEGER,
            policy BLOB, UNIQUE (stream, name)
        ) STRICT;
        CREATE TABLE consumer (
            number INTEGER PRIMARY KEY, owner INTEGER NOT NULL, name BLOB NOT NULL,
            seen_ms INTEGER NOT NULL, active_ms INTEGER, UNIQUE (owner, name)
        ) STRICT;
        CREATE TABLE pending (
            owner INTEGER NOT NULL, ms INTEGER NOT NULL, seq INTEGER NOT NULL, consumer INTEGER NOT NULL,
            delivered_ms INTEGER NOT NULL, deliveries INTEGER NOT NULL, row INTEGER NOT NULL,
            due_ms INTEGER, waiting INTEGER NOT NULL, story BLOB,
            PRIMARY KEY (owner, ms, seq)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX pending_due ON pending (owner, due_ms) WHERE due_ms IS NOT NULL;

        CREATE TABLE dead_letter (
            number INTEGER PRIMARY KEY AUTOINCREMENT, stream BLOB NOT NULL, owner BLOB NOT NULL,
            ms INTEGER NOT NULL, seq INTEGER NOT NULL, row INTEGER NOT NULL, reason TEXT NOT NULL,
            deliveries INTEGER NOT NULL, dead_ms INTEGER NOT NULL, story BLOB NOT NULL,
            fields BLOB NOT NULL, field_count INTEGER NOT NULL, edited INTEGER NOT NULL DEFAULT 0
        ) STRICT;

        CREATE TABLE entity (
            number INTEGER PRIMARY KEY, stream INTEGER NOT NULL, name BLOB NOT NULL, version INTEGER NOT NULL,
            UNIQUE (stream, name)
        ) STRICT;
        CREATE TABLE entity_event (
            entity INTEGER NOT NULL, version INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (entity, version)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE snapshot (entity INTEGER PRIMARY KEY, version INTEGER NOT NULL, state BLOB NOT NULL) STRICT;

        CREATE TABLE mark (
            stream INTEGER NOT NULL, scope INTEGER NOT NULL, key BLOB NOT NULL, ordinal INTEGER NOT NULL,
            added_ms INTEGER NOT NULL, ms INTEGER NOT NULL, seq INTEGER NOT NULL, row INTEGER NOT NULL,
            ends_ms INTEGER NOT NULL, PRIMARY KEY (stream, scope, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX mark_order ON mark (stream, scope, ordinal);
        \(projections)
        COMMIT;
        """

    /// What was added after a version, for logs of that version: each is one transaction.
    static let steps: [Int64: String] = [
        1: "BEGIN IMMEDIATE; \(projections) PRAGMA user_version = 2; COMMIT;"
    ]

    /// Rows of a projection stand under a generation, so that a table can begin anew at once; what a former one has left
    /// is deleted little by little.
    private static let projections = """
        CREATE TABLE projection (
            name TEXT PRIMARY KEY, definition BLOB NOT NULL, generation INTEGER NOT NULL,
            created_ms INTEGER NOT NULL, rebuilt_ms INTEGER NOT NULL, position INTEGER NOT NULL,
            folded INTEGER NOT NULL, skipped INTEGER NOT NULL, unusable INTEGER NOT NULL,
            unusable_values INTEGER NOT NULL, missed INTEGER NOT NULL, rows INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE projection_generation (
            number INTEGER PRIMARY KEY AUTOINCREMENT, retired INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE projection_row (
            generation INTEGER NOT NULL, key BLOB NOT NULL, cells BLOB NOT NULL, event_offset INTEGER NOT NULL,
            changed_ms INTEGER NOT NULL, PRIMARY KEY (generation, key)
        ) STRICT, WITHOUT ROWID;
        """
}

/// A number that SQLite sorts as the unsigned number it stands for.
func ordered(_ value: UInt64) -> Int64 {
    Int64(bitPattern: value ^ (1 << 63))
}

/// The inverse of `ordered`.
func unordered(_ value: Int64) -> UInt64 {
    UInt64(bitPattern: value) ^ (1 << 63)
}
