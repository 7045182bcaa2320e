import Database
import Wire

/// Defining projections and looking at them. Folding is in `LogSession+Folding.swift`.
extension LogSession {
    /// Projections there may be.
    static let projectionsMax = 64

    /// Reads what the writer keeps of all projections.
    func loadProjections() throws(SQLiteError) {
        projections = try projectionStates()
        mayFold = !projections.isEmpty
        areProjectionsNews = true
    }

    private func projectionStates() throws(SQLiteError) -> [ProjectionState] {
        var states: [ProjectionState] = []
        let rows = try statement(.projections)
        while try rows.step() {
            let name = rows.text(0) ?? ""
            guard let definition = try? ProjectionDefinition(parsing: rows.blob(1)) else {
                throw SQLiteError.damaged("the definition of a projection cannot be read")
            }
            var state = ProjectionState(
                name: name, definition: definition, generation: rows.integer(2), createdMilliseconds: rows.integer(3),
                rebuiltMilliseconds: rows.integer(4))
            state.position = rows.integer(5)
            state.counts = ProjectionCounts(
                folded: rows.integer(6), skipped: rows.integer(7), unusable: rows.integer(8),
                unusableValues: rows.integer(9), missed: rows.integer(10), rows: rows.integer(11))
            states.append(state)
        }
        return states
    }

    /// Defines a projection, or defines it anew.
    func define(
        projection name: String, _ definition: ProjectionDefinition, now: Int64
    ) throws(SQLiteError) -> ProjectionDefinitionOutcome {
        if let index = projections.firstIndex(where: { $0.name == name }) {
            if projections[index].definition == definition { return .unchanged }
            projections[index].definition = definition
            try restart(projection: index, now: now)
            return .replaced
        }
        guard projections.count < Self.projectionsMax else { return .tooMany(limit: Self.projectionsMax) }
        projections.append(
            ProjectionState(
                name: name, definition: definition, generation: try newGeneration(), createdMilliseconds: now,
                rebuiltMilliseconds: now, isDirty: true))
        mayFold = true
        return .created
    }

    /// Begins a projection's table from nothing; false without such a projection.
    func rebuild(projection name: String, now: Int64) throws(SQLiteError) -> Bool {
        guard let index = projections.firstIndex(where: { $0.name == name }) else { return false }
        try restart(projection: index, now: now)
        return true
    }

    /// Takes a projection away with its table; false without such a projection.
    func remove(projection name: String) throws(SQLiteError) -> Bool {
        guard let index = projections.firstIndex(where: { $0.name == name }) else { return false }
        try retire(generation: projections[index].generation)
        try statement(.deleteProjection).bind(1, name).run()
        projections.remove(at: index)
        areProjectionsNews = true
        return true
    }

    /// Begins the projections of a stream anew whose position is beyond what it has: it was deleted or taken back.
    func restartProjections(of stream: [UInt8], beyond offset: Int64, now: Int64) throws(SQLiteError) {
        for index in projections.indices
        where projections[index].position > offset && stream.elementsEqual(projections[index].definition.stream.utf8) {
            try restart(projection: index, now: now)
        }
    }

    private func restart(projection index: Int, now: Int64) throws(SQLiteError) {
        try retire(generation: projections[index].generation)
        projections[index].restart(generation: try newGeneration(), now: now)
        mayFold = true
    }

    private func newGeneration() throws(SQLiteError) -> Int64 {
        let row = try statement(.insertGeneration)
        defer { row.reset() }
        _ = try row.step()
        return row.integer(0)
    }

    /// Leaves rows to be deleted a piece at a time.
    private func retire(generation: Int64) throws(SQLiteError) {
        try statement(.retireGeneration).bind(1, generation).run()
        hasRetiredRows = true
    }

    /// Deletes a piece of what former tables have left. True while there is more.
    func purgeProjections() throws(SQLiteError) -> Bool {
        let retired = try statement(.retiredGeneration)
        guard try retired.step() else { return false }
        let generation = retired.integer(0)
        retired.reset()
        try statement(.deleteRowsOfGeneration).bind(1, generation).bind(2, Self.purgedAtOnce).run()
        if connection.changes == 0 { try statement(.deleteGeneration).bind(1, generation).run() }
        return true
    }

    /// Writes what differs from the table; part of every flush.
    func flushProjections() throws(SQLiteError) {
        for index in projections.indices where projections[index].isDirty {
            let state = projections[index]
            try statement(.putProjection).bind(1, state.name).bind(2, state.definition.json.encoded)
                .bind(3, state.generation).bind(4, state.createdMilliseconds).bind(5, state.rebuiltMilliseconds)
                .bind(6, state.position).bind(7, state.counts.folded).bind(8, state.counts.skipped)
                .bind(9, state.counts.unusable).bind(10, state.counts.unusableValues).bind(11, state.counts.missed)
                .bind(12, state.counts.rows).run()
            projections[index].isDirty = false
            areProjectionsNews = true
        }
    }

    /// How all projections are, as far as it is known without a look at the disk.
    var projectionsInMemory: [ProjectionStatus] {
        projections.map { state in
            status(state, lastOffset: streams[Array(state.definition.stream.utf8)]?.lastOffset ?? state.position)
        }
    }

    private func status(_ state: ProjectionState, lastOffset: Int64) -> ProjectionStatus {
        ProjectionStatus(
            name: state.name, definition: state.definition, position: state.position, lastOffset: lastOffset,
            counts: state.counts, createdAtUnixMilliseconds: state.createdMilliseconds,
            rebuiltAtUnixMilliseconds: state.rebuiltMilliseconds)
    }

    // MARK: Looking, for readers

    /// How all projections are, by name.
    func projectionStatuses() throws(SQLiteError) -> [ProjectionStatus] {
        var statuses: [ProjectionStatus] = []
        for state in try projectionStates() {
            let stream = try knownStream(Array(state.definition.stream.utf8))
            statuses.append(status(state, lastOffset: stream?.lastOffset ?? 0))
        }
        return statuses
    }

    /// Rows of a projection behind a key (nil: from the first), by key; nil without such a projection.
    func rows(ofProjection name: String, after key: String?, limit: Int) throws(SQLiteError) -> [ProjectionRow]? {
        guard let generation = try generation(ofProjection: name) else { return nil }
        var found: [ProjectionRow] = []
        let rows: SQLiteStatement
        if let key {
            rows = try statement(.projectedRowsAfter).bind(1, generation).bind(2, Array(key.utf8)).bind(3, Int64(limit))
        } else {
            rows = try statement(.projectedRows).bind(1, generation).bind(2, Int64(limit))
        }
        while try rows.step() { found.append(try projectedRow(rows)) }
        return found
    }

    /// One row of a projection. The outer nil: there is no such projection; the inner: it has no such row.
    func row(ofProjection name: String, key: String) throws(SQLiteError) -> ProjectionRow?? {
        guard let generation = try generation(ofProjection: name) else { return nil }
        return .some(try projectedRow(key, generation: generation))
    }

    private func generation(ofProjection name: String) throws(SQLiteError) -> Int64? {
        let row = try statement(.generationOfProjection).bind(1, name)
        defer { row.reset() }
        return try row.step() ? row.integer(0) : nil
    }

    /// The row with this key, if there is one.
    func projectedRow(_ key: String, generation: Int64) throws(SQLiteError) -> ProjectionRow? {
        let row = try statement(.projectedRow).bind(1, generation).bind(2, Array(key.utf8))
        defer { row.reset() }
        return try row.step() ? try projectedRow(row) : nil
    }

    private func projectedRow(_ row: SQLiteStatement) throws(SQLiteError) -> ProjectionRow {
        guard case .array(let values)? = try? JSONValue(parsing: row.blob(1)) else {
            throw SQLiteError.damaged("a row of a projection cannot be read")
        }
        return ProjectionRow(
            key: String(decoding: row.blob(0), as: UTF8.self), values: values, offset: row.integer(2),
            changedAtUnixMilliseconds: row.integer(3))
    }
}
