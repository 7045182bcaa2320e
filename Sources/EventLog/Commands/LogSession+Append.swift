import Database

/// XADD.
extension LogSession {
    func append(_ request: StreamAppend, now: Int64) throws(SQLiteError) -> StreamReply {
        if request.id == .explicit(.zero) { return .failed(.idZero) }
        var existing = try stream(request.key, now: now)
        if existing == nil {
            guard request.createsStream else { return .none }
            existing = try createStream(request.key, now: now)
        }
        guard let stream = existing else { return .failed(Self.tooManyStreams) }
        let mark = DuplicateMark(request, in: stream)
        if let mark, let id = try original(mark, in: stream, now: now) { return .appended(id, isDuplicate: true) }
        let id: StreamID
        switch Self.nextID(request.id, after: stream.lastID, now: now) {
        case .success(let next): id = next
        case .failure(let error): return .failed(error)
        }
        guard stream.lastOffset < StreamState.offsetMax else { return .failed(.idsExhausted) }
        try insert(request.fields, id: id, into: stream, now: now)
        if let mark { try remember(mark, id: id, in: stream, now: now) }
        if let trim = request.trim { _ = try self.trim(stream, trim, request.references) }
        return .appended(id, isDuplicate: false)
    }

    static let tooManyStreams = StreamError.unavailable(
        reason: "there are \(StreamState.numberMax) streams, which is the most; delete some")

    /// The id of the next entry, as XADD chooses or checks it.
    static func nextID(
        _ wanted: StreamAppend.ID, after last: StreamID, now: Int64
    ) -> Result<StreamID, StreamError> {
        guard let following = last.next else { return .failure(.idsExhausted) }
        switch wanted {
        case .automatic:
            let now = UInt64(clamping: now)
            return .success(now > last.milliseconds ? StreamID(now, 0) : following)
        case .automaticSequence(let milliseconds):
            if milliseconds > last.milliseconds { return .success(StreamID(milliseconds, 0)) }
            guard milliseconds == last.milliseconds, last.sequence < .max else { return .failure(.idTooLow) }
            return .success(following)
        case .explicit(let id):
            return id > last ? .success(id) : .failure(.idTooLow)
        }
    }

    /// XSETID.
    func setID(
        key: [UInt8], id: StreamID, entriesAdded: Int64?, maxDeletedID: StreamID?, now: Int64
    ) throws(SQLiteError) -> StreamReply {
        if let maxDeletedID, id < maxDeletedID { return .failed(.setIDBelowMaxDeleted) }
        guard let stream = try stream(key, now: now) else { return .failed(.noSuchKey) }
        if let last = try lastPlace(in: stream), id < last.id { return .failed(.setIDTooLow) }
        if let entriesAdded, entriesAdded < stream.length { return .failed(.entriesAddedTooLow) }
        if id != stream.lastID || entriesAdded ?? stream.entriesAdded != stream.entriesAdded { revise(stream) }
        stream.lastID = id
        if let entriesAdded { stream.entriesAdded = entriesAdded }
        if let maxDeletedID, maxDeletedID != .zero { stream.maxDeletedID = maxDeletedID }
        touch(stream)
        return .done
    }
}
