import Database

/// Where a stream begins and ends, by offset.
public struct StreamExtent: Sendable, Hashable {
    /// The lowest offset that an event can have; what was there before was trimmed.
    public var first: Int64
    /// The offset of the last event that was appended; 0 for none.
    public var last: Int64
}

extension DurableLog {
    /// The extent of a stream; of one that is not there, that of an empty one.
    public func extent(of stream: [UInt8], answer: @escaping Answer<StreamExtent>) {
        read(answer) { session throws(SQLiteError) in
            guard let state = try session.knownStream(stream) else { return StreamExtent(first: 1, last: 0) }
            return StreamExtent(first: state.anchorOffset + 1, last: state.lastOffset)
        }
    }
}
