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

    /// One sentence for people.
    public var description: String {
        let place = "offset \(offset)" + (id.map { " (\($0))" } ?? "")
        return switch kind {
        case .changed: "The event at \(place), or a deleted one right before it, is not what was appended."
        case .missing: "The event at \(place) is missing, and it was not deleted through the log."
        case .headDiffers: "The stream ends at \(place) with another hash than it should."
        case .unreadable: "The event at \(place) cannot be read."
        }
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
        while try rows.step() {
            let eventOffset = stream.offset(rows.integer(0))
            let id = StreamID(rows.unsigned(1), rows.unsigned(2))
            if let missing = try follow(&hash, &offset, upTo: eventOffset - 1, stream, &report) {
                report.firstBreak = ChainBreak(offset: missing, id: nil, kind: .missing)
                return report
            }
            guard let event = try? eventRow(rows) else {
                report.firstBreak = ChainBreak(offset: eventOffset, id: id, kind: .unreadable)
                return report
            }
            let digest = ChainHash.digest(
                offset: eventOffset, id: id, appendedMilliseconds: event.appendedMilliseconds,
                fields: event.fields.encoded)
            hash = ChainHash.link(previous: hash, digest: digest)
            guard hash == event.hash else {
                report.firstBreak = ChainBreak(offset: eventOffset, id: id, kind: .changed)
                return report
            }
            offset = eventOffset
            report.events += 1
            if report.events % 4_096 == 0, !progress(report.events) { return report }
        }
        if let missing = try follow(&hash, &offset, upTo: stream.lastOffset, stream, &report) {
            report.firstBreak = ChainBreak(offset: missing, id: nil, kind: .missing)
        } else if hash != stream.headHash || offset != stream.lastOffset {
            report.firstBreak = ChainBreak(offset: offset, id: nil, kind: .headDiffers)
        }
        return report
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
