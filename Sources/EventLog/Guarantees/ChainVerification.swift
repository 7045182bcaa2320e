import Database

/// What a walk along the chain of hashes of one stream found.
public struct ChainReport: Sendable, Hashable {
    /// The stream.
    public var stream: [UInt8]
    /// Events that were looked at.
    public var events: Int64
    /// Deleted events between them, of which the digests are left.
    public var removed: Int64
    /// The first link that does not hold; nil when all do.
    public var firstBreak: ChainBreak?

    /// Whether the whole chain holds.
    public var isWhole: Bool { firstBreak == nil }
}

/// A link that does not hold.
public struct ChainBreak: Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Kind: Sendable, Hashable {
        /// The event, or a deleted one right before it, is not what its hash was made of.
        case changed
        /// There is neither an event nor the digest of a deleted one.
        case missing
        /// The stream ends before the event that it says is its last.
        case headDiffers
        /// The event's bytes cannot be decompressed.
        case unreadable
    }

    /// Where, from 1.
    public var offset: Int64
    /// The id, where there is an event.
    public var id: StreamID?
    /// What is wrong.
    public var kind: Kind
    /// The hash that stands there, where one does.
    public var expected: [UInt8]?
    /// The hash that the bytes there give.
    public var found: [UInt8]?

    /// One sentence for people.
    public var description: String {
        let place = "offset \(offset)" + (id.map { " (\($0))" } ?? "")
        let text =
            switch kind {
            case .changed: "The event at \(place), or a deleted one right before it, is not what was appended"
            case .missing: "The event at \(place) is missing, and it was not deleted through the log"
            case .headDiffers: "The stream ends at \(place) with another hash than it should"
            case .unreadable: "The event at \(place) cannot be read"
            }
        guard let expected, let found else { return text + "." }
        return text + ": expected the hash \(Self.hex(expected)), found \(Self.hex(found))."
    }

    /// Bytes as people compare them.
    public static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

extension LogSession {
    /// Walks along the chain of one stream, from the oldest event there is. Nil without such a stream.
    ///
    /// `progress` is called now and then with the events looked at so far; false from it ends the walk with what was
    /// found until then.
    func verifyChain(
        of name: [UInt8], progress: (_ events: Int64) -> Bool = { _ in true }
    ) throws(SQLiteError) -> ChainReport? {
        guard let stream = try knownStream(name) else { return nil }
        var report = ChainReport(stream: name, events: 0, removed: 0)
        var hash = stream.anchorHash
        var offset = stream.anchorOffset
        let rows = try statement(.eventsFrom).bind(1, stream.row(offset)).bind(2, stream.row(StreamState.offsetMax))
        defer { rows.reset() }
        while true {
            guard let hasRow = try unlessDamaged({ () throws(SQLiteError) in try rows.step() }) else {
                report.firstBreak = ChainBreak(offset: offset + 1, id: nil, kind: .unreadable)
                return report
            }
            guard hasRow else { break }
            let eventOffset = stream.offset(rows.integer(0))
            let id = StreamID(rows.unsigned(1), rows.unsigned(2))
            if let missing = try follow(&hash, &offset, upTo: eventOffset - 1, stream, &report) {
                report.firstBreak = ChainBreak(offset: missing, id: nil, kind: .missing)
                return report
            }
            guard let event = try unlessDamaged({ () throws(SQLiteError) in try eventRow(rows) }) else {
                report.firstBreak = ChainBreak(offset: eventOffset, id: id, kind: .unreadable)
                return report
            }
            let digest = ChainHash.digest(
                offset: eventOffset, id: id, appendedMilliseconds: event.appendedMilliseconds,
                fields: event.fields.encoded)
            hash = ChainHash.link(previous: hash, digest: digest)
            guard hash == event.hash else {
                report.firstBreak = ChainBreak(
                    offset: eventOffset, id: id, kind: .changed, expected: event.hash, found: hash)
                return report
            }
            offset = eventOffset
            report.events += 1
            if report.events % 4_096 == 0, !progress(report.events) { return report }
        }
        report.firstBreak = try endOfChain(hash, offset, of: stream, &report)
        return report
    }

    /// What is wrong behind the last event, if anything.
    private func endOfChain(
        _ hash: [UInt8], _ offset: Int64, of stream: StreamState, _ report: inout ChainReport
    ) throws(SQLiteError) -> ChainBreak? {
        var (hash, offset) = (hash, offset)
        if let missing = try follow(&hash, &offset, upTo: stream.lastOffset, stream, &report) {
            return ChainBreak(offset: missing, id: nil, kind: .missing)
        }
        guard hash == stream.headHash, offset == stream.lastOffset else {
            return ChainBreak(offset: offset, id: nil, kind: .headDiffers, expected: stream.headHash, found: hash)
        }
        return nil
    }

    /// Nil when what is read lies on damaged pages.
    private func unlessDamaged<Value>(_ read: () throws(SQLiteError) -> Value) throws(SQLiteError) -> Value? {
        do throws(SQLiteError) {
            return try read()
        } catch  where error.kind == .damaged {
            return nil
        }
    }

    /// Goes over deleted events by their digests; the offset of the first that has none.
    private func follow(
        _ hash: inout [UInt8], _ offset: inout Int64, upTo last: Int64, _ stream: StreamState,
        _ report: inout ChainReport
    ) throws(SQLiteError) -> Int64? {
        while offset < last {
            let removed = try statement(.findRemoved).bind(1, stream.row(offset + 1))
            guard try removed.step() else { return offset + 1 }
            hash = ChainHash.link(previous: hash, digest: removed.blob(0))
            removed.reset()
            offset += 1
            report.removed += 1
        }
        return nil
    }
}
