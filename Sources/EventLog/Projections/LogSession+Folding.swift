import Database
import Wire

/// Folding events into the tables of projections.
///
/// The writer does it a piece at a time inside the transactions that are open anyway, so a table costs no flush of its
/// own. Rows and position are written by the same commit: whatever kills the process, an event is folded once.
extension LogSession {
    /// Events that are looked at in one transaction, so that none takes long.
    static let foldedAtOnce = 1_024
    /// Rows of one projection; events that would make more are counted as unusable.
    static let projectedRowsMax: Int64 = 1_000_000

    /// Looks at the next events of all projections. `mayFold` tells afterwards whether there are more.
    func foldProjections() throws(SQLiteError) {
        var left = Self.foldedAtOnce
        mayFold = false
        for index in projections.indices {
            // Whoever is far behind leaves the others their share.
            let share = max(left / (projections.count - index), 1)
            let (looked, hasMore) = try foldProjection(index, limit: share)
            left -= looked
            if hasMore { mayFold = true }
        }
    }

    private func foldProjection(_ index: Int, limit: Int) throws(SQLiteError) -> (looked: Int, hasMore: Bool) {
        let name = Array(projections[index].definition.stream.utf8)
        guard let stream = try knownStream(name), stream.lastOffset > projections[index].position else {
            return (0, false)
        }
        var page = ProjectionPage(projections[index])
        page.skipTrimmed(upTo: stream.anchorOffset)
        let generation = page.state.generation
        var looked = 0
        var isAtEnd = false
        do {
            let rows = try statement(.eventsFrom).bind(1, stream.row(page.state.position + 1))
                .bind(2, stream.row(stream.lastOffset))
            defer { rows.reset() }
            while looked < limit {
                guard try rows.step() else {
                    isAtEnd = true
                    break
                }
                let event = try eventRow(rows)
                looked += 1
                try page.take(event, offset: stream.offset(event.row)) { (key) throws(SQLiteError) in
                    try projectedRow(key, generation: generation)
                }
            }
        }
        // Deleted events at the end leave nothing to be looked at.
        if isAtEnd { page.state.position = stream.lastOffset }
        try write(page)
        page.state.isDirty = true
        projections[index] = page.state
        return (looked, page.state.position < stream.lastOffset)
    }

    private func write(_ page: ProjectionPage) throws(SQLiteError) {
        for (key, row) in page.rows {
            if let row {
                try statement(.putProjectedRow).bind(1, page.state.generation).bind(2, Array(key.utf8))
                    .bind(3, JSONValue.array(row.values).encoded).bind(4, row.offset)
                    .bind(5, row.changedAtUnixMilliseconds).run()
            } else {
                try statement(.deleteProjectedRow).bind(1, page.state.generation).bind(2, Array(key.utf8)).run()
            }
        }
    }
}

/// The rows that one piece of folding touches, so that each is read and written once.
struct ProjectionPage {
    var state: ProjectionState
    /// Nil inside: there is no such row, or it is to go.
    private(set) var rows: [String: ProjectionRow?] = [:]
    private let rowsMax: Int64

    init(_ state: ProjectionState, rowsMax: Int64 = LogSession.projectedRowsMax) {
        self.state = state
        self.rowsMax = rowsMax
    }

    /// Events up to this offset are gone, also those that were not looked at.
    mutating func skipTrimmed(upTo offset: Int64) {
        guard offset > state.position else { return }
        state.counts.missed += offset - state.position
        state.position = offset
    }

    /// Folds one event; `find` gets a row that was not touched yet.
    mutating func take(
        _ event: EventRow, offset: Int64, find: (String) throws(SQLiteError) -> ProjectionRow?
    ) throws(SQLiteError) {
        state.position = offset
        // A replay repeats what was folded when it was new.
        guard event.flags & EventFlags.replayed == 0 else {
            state.counts.skipped += 1
            return
        }
        switch state.definition.effect(of: event.fields) {
        case .skipped: state.counts.skipped += 1
        case .unusable: state.counts.unusable += 1
        case .deletion(let key):
            if try row(key, find) != nil { state.counts.rows -= 1 }
            rows[key] = .some(nil)
            state.counts.folded += 1
        case .change(let key, let values):
            let known = try row(key, find)
            if known == nil {
                guard state.counts.rows < rowsMax else {
                    state.counts.unusable += 1
                    return
                }
                state.counts.rows += 1
            }
            var folded = known?.values ?? state.definition.emptyRow
            state.counts.unusableValues += Int64(state.definition.fold(values, into: &folded))
            rows[key] = ProjectionRow(
                key: key, values: folded, offset: offset, changedAtUnixMilliseconds: event.appendedMilliseconds)
            state.counts.folded += 1
        }
    }

    private mutating func row(
        _ key: String, _ find: (String) throws(SQLiteError) -> ProjectionRow?
    ) throws(SQLiteError) -> ProjectionRow? {
        if let known = rows[key] { return known }
        let found = try find(key)
        rows[key] = .some(found)
        return found
    }
}
