import Database

/// Projections: tables that the log keeps of its streams. What is defined is answered on the writer's thread, when it is
/// on disk; what is read shows the last commit. `now` is the Unix time in milliseconds.
extension DurableLog {
    /// Defines a projection; one that is there and differs begins from nothing.
    public func define(
        projection name: String, _ definition: ProjectionDefinition, now: Int64,
        answer: @escaping Answer<ProjectionDefinitionOutcome>
    ) {
        write(answer) { session throws(SQLiteError) in
            try session.define(projection: name, definition, now: now)
        }
    }

    /// Begins a projection's table from nothing, with the oldest event that the stream still has; false without such a
    /// projection. Until it has caught up its table shows what it has looked at so far.
    public func rebuild(projection name: String, now: Int64, answer: @escaping Answer<Bool>) {
        write(answer) { session throws(SQLiteError) in try session.rebuild(projection: name, now: now) }
    }

    /// Takes a projection away with its table; false without such a projection.
    public func remove(projection name: String, answer: @escaping Answer<Bool>) {
        write(answer) { session throws(SQLiteError) in try session.remove(projection: name) }
    }

    /// How all projections are, by name.
    public func projections(answer: @escaping Answer<[ProjectionStatus]>) {
        read(answer) { session throws(SQLiteError) in try session.projectionStatuses() }
    }

    /// Up to `limit` rows of a projection behind a key (nil: from the first), by the bytes of their keys; nil without
    /// such a projection.
    public func rows(
        ofProjection name: String, after key: String? = nil, limit: Int, answer: @escaping Answer<[ProjectionRow]?>
    ) {
        read(answer) { session throws(SQLiteError) in
            try session.rows(ofProjection: name, after: key, limit: limit)
        }
    }

    /// One row of a projection. The outer nil: there is no such projection; the inner: it has no such row.
    public func row(ofProjection name: String, key: String, answer: @escaping Answer<ProjectionRow??>) {
        read(answer) { session throws(SQLiteError) in try session.row(ofProjection: name, key: key) }
    }

    /// How all projections were when one of them last changed; takes no look at the disk. `lastOffset` is as of then.
    public var projectionsInMemory: [ProjectionStatus] { projectionBoard.statuses }
}
