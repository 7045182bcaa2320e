/// Every statement that is kept compiled, by what it does. Parameters are numbered in the order of the text.
enum LogStatement: Int, CaseIterable {
    case begin, commit, rollback, beginRead, savepoint, releaseSavepoint, rollbackToSavepoint
    case counters, setCounter
    case findStream, insertStream, updateStream, deleteStream, highestStream, freeStreamNumber, expiredStreams
    case retireStream, retiredStream
    case streamNames, streamNamesAfter, countStreams, earliestExpiry
    case insertEvent, firstEventFrom, lastEventUpTo, eventsFrom, eventsUpTo, event, countEvents, deleteEvent
    case eventsToTrim, deleteEventRange, eventSize, bucketsOfEvents
    case insertRemoved, findRemoved, deleteRemovedUpTo, deleteRemovedRange
    case insertTail, tailOfBucket, lowestTail, deleteTailOfBucket, insertIndex, changeBucket, emptyBucket
    case deleteBucket, indexSlice, deleteIndexSlice, findInIndex, findInTail, bucketsFrom
    case findGroup, groupsOfStream, insertGroup, updateGroup, deleteGroup, countGroups
    case findConsumer, consumersOfGroup, insertConsumer, updateConsumer, deleteConsumer, countConsumers
    case upsertPending, findPending, deletePending, deletePendingOfGroup, deletePendingOfConsumer, countPending
    case countPendingOfConsumer, pendingFrom, pendingOfConsumerFrom, pendingPerConsumer, lowestPending, highestPending
    case streamsWithSettings, deleteDeadLettersAfter, bytesOfEvents, deleteMarksFrom, deletePendingFrom
    case findEntity, insertEntity, updateEntity, insertEntityEvent, entityEvents, keepSnapshot, snapshot
    case deleteEntityEvents, deleteSnapshots, deleteEntities
    case deleteEntityEventsFrom, recountEntities, deleteFutureSnapshots
    case duePending, nextDue, addToStory, consumerName
    case insertDeadLetter, deadLettersAfter, editDeadLetter, deleteDeadLetter
    case findMark, insertMark, deleteMarks, oldestMarks, newestMark, deleteMarksOfStream
    case marksAfter, deleteMark
    case projections, putProjection, deleteProjection, generationOfProjection
    case insertGeneration, retireGeneration, retiredGeneration, deleteGeneration, deleteRowsOfGeneration
    case projectedRow, projectedRows, projectedRowsAfter, putProjectedRow, deleteProjectedRow

    var index: Int { rawValue }

    var text: String {
        switch self {
        case .begin: "BEGIN IMMEDIATE"
        case .commit: "COMMIT"
        case .rollback: "ROLLBACK"
        case .beginRead: "BEGIN"
        case .savepoint: "SAVEPOINT step"
        case .releaseSavepoint: "RELEASE step"
        case .rollbackToSavepoint: "ROLLBACK TO step"

        case .counters: "SELECT name, value FROM counter"
        case .setCounter: "INSERT OR REPLACE INTO counter (name, value) VALUES (?, ?)"

        case .findStream:
            """
            SELECT number, created_ms, revision, expires_ms, last_ms, last_seq, max_deleted_ms, max_deleted_seq,
                entries_added, length, bytes, last_offset, appended_ms, head_hash, anchor_offset, anchor_hash,
                idempotency_seconds, idempotency_size, duplicates, options
            FROM stream WHERE name = ?
            """
        case .insertStream:
            """
            INSERT INTO stream (number, name, created_ms, revision, last_ms, last_seq, max_deleted_ms,
                max_deleted_seq, entries_added, length, bytes, last_offset, appended_ms, head_hash, anchor_offset,
                anchor_hash, idempotency_seconds, idempotency_size, duplicates)
            VALUES (?1, ?2, ?3, ?4, 0, 0, 0, 0, 0, 0, 0, 0, 0, ?5, 0, ?5, ?6, ?7, 0)
            """
        case .updateStream:
            """
            UPDATE stream SET revision = ?2, expires_ms = ?3, last_ms = ?4, last_seq = ?5, max_deleted_ms = ?6,
                max_deleted_seq = ?7, entries_added = ?8, length = ?9, bytes = ?10, last_offset = ?11,
                appended_ms = ?12, head_hash = ?13, anchor_offset = ?14, anchor_hash = ?15,
                idempotency_seconds = ?16, idempotency_size = ?17, duplicates = ?18, options = ?19
            WHERE number = ?1
            """
        case .deleteStream: "DELETE FROM stream WHERE number = ?"
        case .highestStream: "SELECT max(number) FROM stream"
        case .freeStreamNumber:
            """
            SELECT number + 1 FROM stream AS used
            WHERE NOT EXISTS (SELECT 1 FROM stream WHERE number = used.number + 1) ORDER BY number LIMIT 1
            """
        case .expiredStreams: "SELECT name FROM stream WHERE expires_ms <= ? LIMIT 100"
        case .retireStream: "UPDATE stream SET name = NULL, expires_ms = NULL WHERE number = ?"
        case .retiredStream: "SELECT number FROM stream WHERE name IS NULL LIMIT 1"
        case .streamNames:
            "SELECT name FROM stream WHERE name IS NOT NULL AND (expires_ms IS NULL OR expires_ms > ?)"
        case .streamNamesAfter:
            """
            SELECT number, name FROM stream WHERE number > ? AND name IS NOT NULL
                AND (expires_ms IS NULL OR expires_ms > ?)
            ORDER BY number LIMIT ?
            """
        case .countStreams:
            "SELECT count(*) FROM stream WHERE name IS NOT NULL AND (expires_ms IS NULL OR expires_ms > ?)"
        case .earliestExpiry: "SELECT min(expires_ms) FROM stream WHERE expires_ms IS NOT NULL"

        case .insertEvent:
            """
            INSERT INTO event (row, ms, seq, position, appended_ms, flags, hash, fields)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """
        case .firstEventFrom:
            "SELECT row, ms, seq, appended_ms FROM event WHERE row BETWEEN ? AND ? ORDER BY row LIMIT 1"
        case .lastEventUpTo:
            "SELECT row, ms, seq, appended_ms FROM event WHERE row BETWEEN ? AND ? ORDER BY row DESC LIMIT 1"
        case .eventsFrom: Self.eventColumns + "WHERE row BETWEEN ? AND ? ORDER BY row"
        case .eventsUpTo: Self.eventColumns + "WHERE row BETWEEN ? AND ? ORDER BY row DESC"
        case .event: Self.eventColumns + "WHERE row = ?"
        case .countEvents: "SELECT count(*) FROM event WHERE row BETWEEN ? AND ?"
        case .deleteEvent: "DELETE FROM event WHERE row = ?"
        case .eventsToTrim:
            "SELECT row, ms, seq, position, length(fields) FROM event WHERE row BETWEEN ? AND ? ORDER BY row LIMIT ?"
        case .eventSize: "SELECT position, length(fields) FROM event WHERE row = ?"
        case .bucketsOfEvents:
            "SELECT position >> ?3, count(*) FROM event WHERE row BETWEEN ?1 AND ?2 GROUP BY 1"
        case .deleteEventRange: "DELETE FROM event WHERE row BETWEEN ? AND ?"

        case .insertRemoved: "INSERT INTO removed (row, digest) VALUES (?, ?)"
        case .findRemoved: "SELECT digest FROM removed WHERE row = ?"
        case .deleteRemovedUpTo, .deleteRemovedRange: "DELETE FROM removed WHERE row BETWEEN ? AND ?"

        case .insertTail: "INSERT INTO index_tail (position, row, correlation, trace, type) VALUES (?, ?, ?, ?, ?)"
        case .tailOfBucket: "SELECT row, correlation, trace, type FROM index_tail WHERE position BETWEEN ? AND ?"
        case .lowestTail: "SELECT min(position) FROM index_tail"
        case .deleteTailOfBucket: "DELETE FROM index_tail WHERE position BETWEEN ? AND ?"
        case .insertIndex: "INSERT OR IGNORE INTO event_index (bucket, kind, hash, row) VALUES (?, ?, ?, ?)"
        case .changeBucket:
            """
            INSERT INTO bucket (bucket, events) VALUES (?1, ?2)
            ON CONFLICT (bucket) DO UPDATE SET events = events + excluded.events
            RETURNING events
            """
        case .emptyBucket: "SELECT bucket FROM bucket WHERE events <= 0 AND bucket < ? LIMIT 1"
        case .deleteBucket: "DELETE FROM bucket WHERE bucket = ?"
        case .indexSlice:
            "SELECT kind, hash, row FROM event_index WHERE bucket = ? ORDER BY kind, hash, row LIMIT 1 OFFSET ?"
        case .deleteIndexSlice:
            "DELETE FROM event_index WHERE bucket = ?1 AND (kind, hash, row) < (?2, ?3, ?4)"
        case .findInIndex:
            "SELECT row FROM event_index WHERE bucket = ? AND kind IN (?, ?) AND hash = ? ORDER BY row"
        case .findInTail:
            """
            SELECT row FROM index_tail WHERE position >= ?1 AND
                ?4 IN (CASE ?2 WHEN 1 THEN correlation WHEN 2 THEN trace ELSE type END,
                    CASE ?3 WHEN 1 THEN correlation WHEN 2 THEN trace ELSE type END)
            ORDER BY position
            """
        case .bucketsFrom: "SELECT bucket FROM bucket WHERE bucket >= ? ORDER BY bucket"

        case .findGroup:
            """
            SELECT number, last_ms, last_seq, entries_read, policy FROM consumer_group
            WHERE stream = ? AND name = ?
            """
        case .groupsOfStream: "SELECT name FROM consumer_group WHERE stream = ? ORDER BY name"
        case .insertGroup:
            """
            INSERT INTO consumer_group (stream, name, last_ms, last_seq, entries_read) VALUES (?, ?, ?, ?, ?)
            RETURNING number
            """
        case .updateGroup:
            """
            UPDATE consumer_group SET last_ms = ?2, last_seq = ?3, entries_read = ?4, policy = ?5
            WHERE number = ?1
            """
        case .deleteGroup: "DELETE FROM consumer_group WHERE number = ?"
        case .countGroups: "SELECT count(*) FROM consumer_group WHERE stream = ?"

        case .findConsumer: "SELECT number, seen_ms FROM consumer WHERE owner = ? AND name = ?"
        case .consumersOfGroup: "SELECT name FROM consumer WHERE owner = ? ORDER BY name"
        case .insertConsumer: "INSERT INTO consumer (owner, name, seen_ms) VALUES (?, ?, ?) RETURNING number"
        case .updateConsumer: "UPDATE consumer SET seen_ms = ?2 WHERE number = ?1"
        case .deleteConsumer: "DELETE FROM consumer WHERE number = ?"
        case .countConsumers: "SELECT count(*) FROM consumer WHERE owner = ?"

        case .upsertPending:
            """
            INSERT INTO pending (owner, ms, seq, consumer, delivered_ms, deliveries, row, due_ms, waiting)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            ON CONFLICT (owner, ms, seq) DO UPDATE SET
                consumer = excluded.consumer, delivered_ms = excluded.delivered_ms,
                deliveries = excluded.deliveries, due_ms = excluded.due_ms,
                waiting = excluded.waiting
            """
        case .findPending: Self.pendingColumns + "WHERE owner = ? AND ms = ? AND seq = ?"
        case .deletePending: "DELETE FROM pending WHERE owner = ? AND ms = ? AND seq = ?"
        case .deletePendingOfGroup: "DELETE FROM pending WHERE owner = ?"
        case .deletePendingOfConsumer: "DELETE FROM pending WHERE owner = ? AND consumer = ?"
        case .countPending: "SELECT count(*) FROM pending WHERE owner = ?"
        case .countPendingOfConsumer: "SELECT count(*) FROM pending WHERE owner = ? AND consumer = ?"
        case .pendingFrom:
            Self.pendingColumns + "WHERE owner = ?1 AND (ms, seq) >= (?2, ?3) ORDER BY ms, seq LIMIT ?4"
        case .pendingOfConsumerFrom:
            Self.pendingColumns
                + "WHERE owner = ?1 AND (ms, seq) >= (?2, ?3) AND consumer = ?5 ORDER BY ms, seq LIMIT ?4"
        case .pendingPerConsumer:
            """
            SELECT consumer.name, count(*) FROM pending JOIN consumer ON consumer.number = pending.consumer
            WHERE pending.owner = ? GROUP BY consumer.number ORDER BY consumer.name
            """
        case .lowestPending: "SELECT ms, seq FROM pending WHERE owner = ? ORDER BY ms, seq LIMIT 1"
        case .highestPending: "SELECT ms, seq FROM pending WHERE owner = ? ORDER BY ms DESC, seq DESC LIMIT 1"

        case .streamsWithSettings: "SELECT name FROM stream WHERE options IS NOT NULL AND name IS NOT NULL"
        case .deleteDeadLettersAfter: "DELETE FROM dead_letter WHERE dead_ms > ?"
        case .bytesOfEvents: "SELECT coalesce(sum(length(fields)), 0) FROM event WHERE row BETWEEN ? AND ?"
        case .deleteMarksFrom: "DELETE FROM mark WHERE stream = ? AND row >= ?"
        case .deletePendingFrom: "DELETE FROM pending WHERE owner = ? AND row >= ?"

        case .findEntity: "SELECT number, version FROM entity WHERE stream = ? AND name = ?"
        case .insertEntity: "INSERT INTO entity (stream, name, version) VALUES (?, ?, 0) RETURNING number"
        case .updateEntity: "UPDATE entity SET version = ?2 WHERE number = ?1"
        case .insertEntityEvent: "INSERT INTO entity_event (entity, version, row) VALUES (?, ?, ?)"
        case .entityEvents:
            "SELECT version, row FROM entity_event WHERE entity = ? AND version >= ? ORDER BY version"
        case .keepSnapshot:
            """
            INSERT INTO snapshot (entity, version, state) VALUES (?1, ?2, ?3)
            ON CONFLICT (entity) DO UPDATE SET version = excluded.version, state = excluded.state
                WHERE excluded.version >= version
            """
        case .snapshot: "SELECT version, state FROM snapshot WHERE entity = ?"
        case .deleteEntityEvents:
            "DELETE FROM entity_event WHERE entity IN (SELECT number FROM entity WHERE stream = ?)"
        case .deleteSnapshots: "DELETE FROM snapshot WHERE entity IN (SELECT number FROM entity WHERE stream = ?)"
        case .deleteEntities: "DELETE FROM entity WHERE stream = ?"
        case .deleteEntityEventsFrom:
            "DELETE FROM entity_event WHERE entity IN (SELECT number FROM entity WHERE stream = ?1) AND row >= ?2"
        case .recountEntities:
            """
            UPDATE entity SET version = coalesce(
                (SELECT max(version) FROM entity_event WHERE entity_event.entity = entity.number), 0)
            WHERE stream = ?
            """
        case .deleteFutureSnapshots:
            """
            DELETE FROM snapshot WHERE EXISTS (SELECT 1 FROM entity
                WHERE entity.number = snapshot.entity AND entity.stream = ? AND entity.version < snapshot.version)
            """

        case .duePending: Self.pendingColumns + "WHERE owner = ? AND due_ms <= ? ORDER BY due_ms, ms, seq LIMIT ?"
        case .nextDue: "SELECT min(due_ms) FROM pending WHERE owner = ? AND due_ms IS NOT NULL"
        case .addToStory:
            """
            UPDATE pending SET story = CAST(coalesce(story, x'') || ?4 AS BLOB)
            WHERE owner = ?1 AND ms = ?2 AND seq = ?3 AND length(coalesce(story, x'')) < ?5
            """
        case .consumerName: "SELECT name FROM consumer WHERE number = ?"

        case .insertDeadLetter:
            """
            INSERT INTO dead_letter (stream, owner, ms, seq, row, reason, deliveries, dead_ms, fields,
                field_count, story)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                coalesce((SELECT story FROM pending WHERE owner = ?11 AND ms = ?12 AND seq = ?13), x''))
            """
        case .deadLettersAfter:
            """
            SELECT number, stream, owner, ms, seq, row, reason, deliveries, dead_ms, story, fields, field_count, edited
            FROM dead_letter WHERE number > ? ORDER BY number
            """
        case .editDeadLetter: "UPDATE dead_letter SET fields = ?2, field_count = ?3, edited = 1 WHERE number = ?1"
        case .deleteDeadLetter: "DELETE FROM dead_letter WHERE number = ?"

        case .findMark: "SELECT ms, seq, added_ms FROM mark WHERE stream = ? AND scope = ? AND key = ?"
        case .insertMark:
            """
            INSERT OR REPLACE INTO mark (stream, scope, key, ordinal, added_ms, ms, seq, row, ends_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        case .marksAfter:
            """
            SELECT stream, scope, key, ends_ms FROM mark WHERE (stream, scope, key) > (?, ?, ?)
            ORDER BY stream, scope, key LIMIT ?
            """
        case .deleteMark: "DELETE FROM mark WHERE stream = ? AND scope = ? AND key = ?"
        case .deleteMarks: "DELETE FROM mark WHERE stream = ? AND scope = ? AND ordinal <= ?"
        case .oldestMarks:
            "SELECT ordinal, added_ms FROM mark WHERE stream = ? AND scope = ? ORDER BY ordinal LIMIT ?"
        case .newestMark:
            "SELECT ordinal FROM mark WHERE stream = ? AND scope = ? ORDER BY ordinal DESC LIMIT 1"
        case .deleteMarksOfStream: "DELETE FROM mark WHERE stream = ?"

        case .projections:
            """
            SELECT name, definition, generation, created_ms, rebuilt_ms, position, folded, skipped, unusable,
                unusable_values, missed, rows
            FROM projection ORDER BY name
            """
        case .putProjection:
            """
            INSERT OR REPLACE INTO projection (name, definition, generation, created_ms, rebuilt_ms, position, folded,
                skipped, unusable, unusable_values, missed, rows)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        case .deleteProjection: "DELETE FROM projection WHERE name = ?"
        case .generationOfProjection: "SELECT generation FROM projection WHERE name = ?"
        case .insertGeneration: "INSERT INTO projection_generation (retired) VALUES (0) RETURNING number"
        case .retireGeneration: "UPDATE projection_generation SET retired = 1 WHERE number = ?"
        case .retiredGeneration: "SELECT number FROM projection_generation WHERE retired = 1 LIMIT 1"
        case .deleteGeneration: "DELETE FROM projection_generation WHERE number = ?"
        case .deleteRowsOfGeneration:
            """
            DELETE FROM projection_row WHERE generation = ?1
                AND key IN (SELECT key FROM projection_row WHERE generation = ?1 ORDER BY key LIMIT ?2)
            """
        case .projectedRow: Self.projectedColumns + "WHERE generation = ? AND key = ?"
        case .projectedRows: Self.projectedColumns + "WHERE generation = ? ORDER BY key LIMIT ?"
        case .projectedRowsAfter: Self.projectedColumns + "WHERE generation = ? AND key > ? ORDER BY key LIMIT ?"
        case .putProjectedRow:
            """
            INSERT OR REPLACE INTO projection_row (generation, key, cells, event_offset, changed_ms)
            VALUES (?, ?, ?, ?, ?)
            """
        case .deleteProjectedRow: "DELETE FROM projection_row WHERE generation = ? AND key = ?"
        }
    }

    private static let eventColumns = "SELECT row, ms, seq, appended_ms, flags, fields, hash FROM event "
    private static let projectedColumns = "SELECT key, cells, event_offset, changed_ms FROM projection_row "
    private static let pendingColumns = """
        SELECT ms, seq, consumer, delivered_ms, deliveries, row, due_ms, waiting FROM pending 
        """ + " "
}
