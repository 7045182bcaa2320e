import Database

extension DurableLog {
    /// Sets what a stream does beyond Redis, making it if need be; false when there are too many streams.
    public func configure(
        _ settings: StreamSettings, stream: [UInt8], now: Int64, answer: @escaping Answer<Bool>
    ) {
        write(answer) { session throws(SQLiteError) in try session.configure(settings, key: stream, now: now) }
    }

    /// Walks along the chains of hashes of all streams, or of some, in the log of a directory, open or not.
    ///
    /// Blocks the calling thread, and nobody else: it reads the log as it is at this moment. `progress` is called now
    /// and then; false from it ends the walk.
    public static func verify(
        directory: String, streams: [[UInt8]]? = nil, progress: (ChainProgress) -> Bool = { _ in true }
    ) throws(LogError) -> [ChainReport] {
        let database = LogDatabase(directory: directory)
        return try database.read { session throws(SQLiteError) in
            try session.verifyChains(of: streams, progress: progress)
        }
    }

    /// What SQLite itself finds wrong with the file of a log, open or not: contradictions between its pages, which the
    /// chains of hashes need not meet. Empty when nothing is wrong. Reads the whole file, and blocks as long.
    public static func structureFaults(directory: String, limit: Int = 10) throws(LogError) -> [String] {
        try LogDatabase(directory: directory).read { session throws(SQLiteError) in
            let rows: [[SQLiteValue]]
            do throws(SQLiteError) {
                rows = try session.connection.query("PRAGMA quick_check(\(limit))")
            } catch  where error.kind == .damaged {
                return [error.message]
            }
            return rows.compactMap { row in
                guard case .text(let text)? = row.first, text != "ok" else { return nil }
                return text
            }
        }
    }
}

/// How far a walk along the chains is.
public struct ChainProgress: Sendable, Hashable {
    /// The stream that is walked along.
    public var stream: [UInt8]
    /// Events looked at so far, of all streams.
    public var events: Int64
    /// Events there are to be looked at.
    public var eventsInAll: Int64
}

extension LogSession {
    /// All names.
    func streamNames() throws(SQLiteError) -> [[UInt8]] {
        try blobs(statement(.streamNames).bind(1, Int64.min))
    }

    /// Walks along several chains; streams that there are not are left out.
    func verifyChains(
        of names: [[UInt8]]?, progress: (ChainProgress) -> Bool
    ) throws(SQLiteError) -> [ChainReport] {
        var wanted: [[UInt8]] = []
        var known = ChainProgress(stream: [], events: 0, eventsInAll: 0)
        let all = try streamNames()
        for name in names ?? all {
            guard let stream = try knownStream(name) else { continue }
            wanted.append(name)
            known.eventsInAll += stream.length
        }
        var reports: [ChainReport] = []
        for name in wanted {
            known.stream = name
            let before = known.events
            let report = try verifyChain(of: name) { events in
                known.events = before + events
                return progress(known)
            }
            guard let report else { continue }
            reports.append(report)
            known.events = before + report.events
        }
        return reports
    }
}
