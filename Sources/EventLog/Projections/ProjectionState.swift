public import Wire

/// What is known of one projection: the row of the table `projection`, kept in memory by the writer.
struct ProjectionState {
    let name: String
    /// What it was defined as.
    var definition: ProjectionDefinition
    /// Under which its rows stand; a rebuild takes a new one.
    var generation: Int64
    var createdMilliseconds: Int64
    /// When the table began from nothing for the last time.
    var rebuiltMilliseconds: Int64
    /// The offset of the last event that was looked at.
    var position: Int64 = 0
    var counts = ProjectionCounts()
    /// Differs from the table's row.
    var isDirty = false

    /// Forgets what it has read; the rows of the former generation are of no use any more.
    mutating func restart(generation: Int64, now: Int64) {
        self.generation = generation
        rebuiltMilliseconds = now
        position = 0
        counts = ProjectionCounts()
        isDirty = true
    }
}

/// What became of the events that a projection has looked at since it was begun or rebuilt.
public struct ProjectionCounts: Sendable, Hashable {
    /// Changed or removed a row.
    public var folded: Int64 = 0
    /// Were not meant: the filter, or a replay wrote them.
    public var skipped: Int64 = 0
    /// Had no key, or a key that is too long, or found the table full.
    public var unusable: Int64 = 0
    /// Values that a column could not take: sums of what is no number.
    public var unusableValues: Int64 = 0
    /// Were trimmed from the stream before they were looked at.
    public var missed: Int64 = 0
    /// Rows in the table.
    public var rows: Int64 = 0
}

/// How a projection is.
public struct ProjectionStatus: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// What it was defined as.
    public var definition: ProjectionDefinition
    /// The offset of the last event that was looked at; its effect is in the table.
    public var position: Int64
    /// The offset of the last event of the stream.
    public var lastOffset: Int64
    /// What became of the events up to there.
    public var counts: ProjectionCounts
    /// When it was defined, in milliseconds of the Unix time.
    public var createdAtUnixMilliseconds: Int64
    /// When the table began from nothing for the last time.
    public var rebuiltAtUnixMilliseconds: Int64

    /// Events that are still to be looked at.
    public var lag: Int64 { max(lastOffset - position, 0) }
}

/// One row of a projection.
public struct ProjectionRow: Sendable, Hashable {
    /// What its events have in common.
    public var key: String
    /// A value per column, in the order of the definition.
    public var values: [JSONValue]
    /// The offset of the last event that changed it.
    public var offset: Int64
    /// When that was appended, in milliseconds of the Unix time.
    public var changedAtUnixMilliseconds: Int64
}

/// What came of a definition.
public enum ProjectionDefinitionOutcome: Sendable, Hashable {
    /// There is one more projection.
    case created
    /// It is defined so already; nothing happened.
    case unchanged
    /// It was defined in another way; its table begins from nothing.
    case replaced
    /// There are as many as there may be.
    case tooMany(limit: Int)
}
