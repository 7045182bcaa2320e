import Database

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A second copy of a log that is in use, kept close behind it by what is new in its write-ahead log.
///
/// The copy is a database and a write-ahead log of its own: the frames of the original, as they are. So it is the log as
/// it was at a commit, at any moment, also when this process ends in the middle of a step. `SourceHold` sees to it that
/// no frame is lost before it is copied; and the first frames of a new write-ahead log are written before its header,
/// which makes them count. When the original begins its write-ahead log anew, SQLite itself moves the copy's frames into
/// the copy's database (`fold`).
public final class ContinuousCopy {
    private let source: LogDatabase
    private let target: LogDatabase
    private let mark: CopyMark
    private let lock: DirectoryLock
    /// Nil when there is nothing yet that could be continued.
    private var hold: SourceHold?
    /// The write-ahead log that is followed; nil when the next is to be taken from its beginning.
    private var followed: WriteAheadLog?

    /// What one step did.
    public enum Step: Sendable, Hashable {
        /// The whole log was copied anew.
        case whole
        /// So many bytes of new pages.
        case followed(bytes: Int)
        /// Nothing: somebody reads the copy and must end first, or `progress` ended it.
        case heldUp
    }

    /// The length from which on the writer is kept out for a moment so that its write-ahead log can begin anew.
    private let longBytes: Int
    private static let chunkBytes = 1 << 20

    /// Prepares to copy the log in a directory, in use or not, to another directory, which may hold an earlier
    /// continuous copy and no other log. Copies nothing yet.
    public convenience init(of directory: String, to target: String) throws(LogError) {
        try self.init(of: directory, to: target, longBytes: 16 << 20)
    }

    init(of directory: String, to target: String, longBytes: Int) throws(LogError) {
        source = LogDatabase(directory: directory)
        self.target = LogDatabase(directory: target)
        self.longBytes = longBytes
        mark = CopyMark(directory: target)
        try source.read { _ in }
        lock = try DirectoryLock(directory: target)
        guard access(self.target.path, F_OK) != 0 || mark.isThere else {
            throw .directoryUnusable(path: target, reason: "it holds an event log that is no continuous copy")
        }
        try mark.put(source: directory)
    }

    /// Copies what was committed before this call, at least. `progress` is called while the whole log is copied; false
    /// from it ends the step with nothing changed.
    public func catchUp(progress: (CopyProgress) -> Bool = { _ in true }) throws(LogError) -> Step {
        do throws(LogError) {
            guard let hold else { return try begin(progress) }
            guard hold.isOfSameFile else {
                throw .directoryUnusable(path: source.directory, reason: "another log was put into it meanwhile")
            }
            guard let bytes = try copyFrames() else { return .heldUp }
            if let followed, followed.committed.offset > longBytes { try letSourceBeginAnew(hold) }
            return .followed(bytes: bytes)
        } catch {
            // What is there is not to be continued without a look at it.
            hold = nil
            followed = nil
            throw error
        }
    }

    /// Lets others have the copy.
    public func close() {
        hold = nil
        lock.release()
    }

    // MARK: Beginning

    private func begin(_ progress: (CopyProgress) -> Bool) throws(LogError) -> Step {
        let hold = try SourceHold(source)
        if let bytes = try resume(hold) {
            self.hold = hold
            return .followed(bytes: bytes)
        }
        guard try fold() else { return .heldUp }
        let moment = try hold.take()
        guard try LogCopy.replace(in: target.directory, from: moment, progress: progress) else { return .heldUp }
        self.hold = hold
        return try copyFrames() == nil ? .heldUp : .whole
    }

    /// Goes on behind what an earlier process has copied, if the original still has the frames that follow; how many
    /// bytes, or nil.
    private func resume(_ hold: SourceHold) throws(LogError) -> Int? {
        guard access(target.path, F_OK) == 0, let copy = try RawFile.open(target.walPath, forWriting: false),
            var log = WriteAheadLog(header: try copy.bytes(at: 0, count: WriteAheadLog.headerBytes))
        else { return nil }
        try walk(copy, &log, into: nil)
        var bytes: Int?
        _ = try hold.keepingWriterOut { () throws(LogError) in
            guard let original = try RawFile.open(source.walPath, forWriting: false),
                try original.bytes(at: 0, count: WriteAheadLog.headerBytes) == log.header,
                try lastFrame(of: log, in: original) == lastFrame(of: log, in: copy)
            else { return }
            followed = log
            bytes = try copyFrames()
            _ = try hold.take()
        }
        return bytes
    }

    // MARK: Following

    /// Copies the frames of whole transactions that are new, and what follows them as far as it goes. How many bytes;
    /// nil when somebody reads the copy.
    private func copyFrames() throws(LogError) -> Int? {
        while true {
            guard let original = try RawFile.open(source.walPath, forWriting: false),
                let found = WriteAheadLog(header: try original.bytes(at: 0, count: WriteAheadLog.headerBytes))
            else { return 0 }
            if let followed, followed.header == found.header { return try copyMore(followed, original) }
            guard try fold() else { return nil }
            followed = nil
            if let bytes = try copyBeginning(of: found, original) { return bytes }
        }
    }

    /// The frames of a log that was not followed before; nil when it ended meanwhile.
    private func copyBeginning(of log: WriteAheadLog, _ original: RawFile) throws(LogError) -> Int? {
        var log = log
        guard let copy = try RawFile.open(target.walPath, forWriting: true) else { return 0 }
        try walk(original, &log, into: copy)
        // Its successor begins with the header: as long as that stands, so did all frames that were read.
        guard try original.bytes(at: 0, count: WriteAheadLog.headerBytes) == log.header else { return nil }
        guard log.committedFrames > 0 else { return 0 }
        try copy.synchronize()
        try copy.write(log.header, at: 0)
        try copy.synchronize()
        followed = log
        return log.committed.offset
    }

    private func copyMore(_ known: WriteAheadLog, _ original: RawFile) throws(LogError) -> Int {
        var log = known
        guard let copy = try RawFile.open(target.walPath, forWriting: true) else { return 0 }
        guard try lastFrame(of: known, in: original) == lastFrame(of: known, in: copy) else {
            throw .inputOutput(code: 0, detail: "a commit that was copied was taken back; the log is copied anew")
        }
        try walk(original, &log, into: copy)
        followed = log
        let bytes = log.committed.offset - known.committed.offset
        if bytes > 0 { try copy.synchronize() }
        return bytes
    }

    /// Follows the frames in one file as far as they go, and writes them to the same place in another.
    private func walk(_ file: RawFile, _ log: inout WriteAheadLog, into copy: RawFile?) throws(LogError) {
        let size = max(Self.chunkBytes / log.frameBytes, 1) * log.frameBytes
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer { chunk.deallocate() }
        log.rewind()
        while true {
            let place = log.place.offset
            let count = try file.read(into: chunk, at: place)
            let taken = log.take(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
            if taken > 0 { try copy?.write(UnsafeRawBufferPointer(rebasing: chunk[..<taken]), at: place) }
            guard taken == size else { break }
        }
        log.rewind()
    }

    private func lastFrame(of log: WriteAheadLog, in file: RawFile) throws(LogError) -> [UInt8] {
        guard log.committedFrames > 0 else { return [] }
        return try file.bytes(at: log.committed.offset - log.frameBytes, count: 24)
    }

    // MARK: Beginning anew

    /// Lets the original begin its write-ahead log anew; later, when its writer cannot be kept out now.
    private func letSourceBeginAnew(_ hold: SourceHold) throws(LogError) {
        _ = try hold.keepingWriterOut { () throws(LogError) in
            guard try copyFrames() != nil else { return }
            try hold.renew()
        }
    }

    /// Moves the frames of the copy's write-ahead log into its database. False when somebody reads there.
    private func fold() throws(LogError) -> Bool {
        guard access(target.path, F_OK) == 0 else {
            // Frames without their database are of no use, and would spoil the next one.
            target.remove()
            return true
        }
        guard let copy = try RawFile.open(target.walPath, forWriting: false),
            var log = WriteAheadLog(header: try copy.bytes(at: 0, count: WriteAheadLog.headerBytes))
        else { return true }
        try walk(copy, &log, into: nil)
        do throws(SQLiteError) {
            let connection = try SQLiteConnection(path: target.path, .readWrite, patienceMilliseconds: 100)
            try connection.execute("PRAGMA synchronous = FULL")
            // A reader who was there before the frames were does not know of them, and nor does SQLite then: only when
            // all are counted has it moved all.
            let moved = try connection.query("PRAGMA wal_checkpoint(PASSIVE)").first
            let frames = SQLiteValue.integer(Int64(log.committedFrames))
            guard moved == [.integer(0), frames, frames] else { return false }
            return try connection.integer("PRAGMA wal_checkpoint(TRUNCATE)") == 0
        } catch {
            guard error.kind != .busy else { return false }
            throw LogError(error, path: target.path)
        }
    }
}

extension LogDatabase {
    /// Where SQLite keeps its write-ahead log.
    fileprivate var walPath: String { path + "-wal" }
}
