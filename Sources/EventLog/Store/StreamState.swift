/// What is known of one stream as a whole: the row of the table `stream`, kept in memory by the writer between commits.
final class StreamState {
    /// Its place in event rows.
    let number: Int64
    let name: [UInt8]
    let createdMilliseconds: Int64

    /// Changes whenever something in the stream does, and never repeats, also for a later stream of the same name.
    var revision: UInt64 = 0
    var expiresMilliseconds: Int64?
    /// The highest id that was given out.
    var lastID = StreamID.zero
    /// The highest id that was deleted by name.
    var maxDeletedID = StreamID.zero
    /// Entries that were ever appended; XSETID may say otherwise.
    var entriesAdded: Int64 = 0
    /// Entries there are.
    var length: Int64 = 0
    /// Bytes of their fields.
    var bytes: Int64 = 0
    /// The offset of the last entry that was appended; 0 for none. Never goes back, and knows nothing of XSETID.
    var lastOffset: Int64 = 0
    /// When that was.
    var appendedMilliseconds: Int64 = 0
    /// The hash of that entry; of an empty stream, the hash of its beginning.
    var headHash: [UInt8] = []
    /// Up to this offset nothing is left, neither entries nor digests.
    var anchorOffset: Int64 = 0
    /// The hash of the entry with that offset: where the chain now begins.
    var anchorHash: [UInt8] = []
    var idempotencySeconds = 100
    var idempotencySize = 100
    /// Appends that were recognised as repetitions.
    var duplicates: Int64 = 0
    /// What it does beyond Redis; nil for nothing.
    var settings: StreamSettings?
    /// Differs from the table's row.
    var isDirty = false

    init(number: Int64, name: [UInt8], createdMilliseconds: Int64) {
        self.number = number
        self.name = name
        self.createdMilliseconds = createdMilliseconds
    }

    /// Bits of an event row that hold the offset.
    static let offsetBits: Int64 = 40
    /// The highest offset and the highest stream number.
    static let offsetMax: Int64 = (1 << offsetBits) - 1
    /// Streams there can be at once.
    static let numberMax: Int64 = (1 << 23) - 1

    /// The event row of an offset.
    func row(_ offset: Int64) -> Int64 { number << Self.offsetBits | offset }

    /// The offset of an event row of this stream.
    func offset(_ row: Int64) -> Int64 { row & Self.offsetMax }

    /// The rows that events can have: what was trimmed away is left out, so that no search meets its gap.
    var rows: ClosedRange<Int64> { row(anchorOffset)...row(lastOffset) }
}

/// What is known of one group: the row of the table `consumer_group`.
final class GroupState {
    let number: Int64
    let stream: StreamState
    let name: [UInt8]
    /// The last entry that was given to a consumer.
    var lastID: StreamID
    /// Entries read since the stream began; nil when not known.
    var entriesRead: Int64?
    /// Redelivery settings, encoded; nil for Redis's own behaviour.
    var policy: [UInt8]?
    var isDirty = false

    init(number: Int64, stream: StreamState, name: [UInt8], lastID: StreamID, entriesRead: Int64?) {
        self.number = number
        self.stream = stream
        self.name = name
        self.lastID = lastID
        self.entriesRead = entriesRead
    }
}

/// What is known of one consumer: the row of the table `consumer`.
final class ConsumerState {
    let number: Int64
    let name: [UInt8]
    /// Its last command.
    var seenMilliseconds: Int64
    var isDirty = false

    init(number: Int64, name: [UInt8], seenMilliseconds: Int64) {
        self.number = number
        self.name = name
        self.seenMilliseconds = seenMilliseconds
    }
}
