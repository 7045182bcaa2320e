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
    /// and then with the stream and the events looked at so far; false from it ends the walk.
    public static func verify(
        directory: String, streams: [[UInt8]]? = nil,
        progress: (_ stream: [UInt8], _ events: Int64) -> Bool = { _, _ in true }
    ) throws(LogError) -> [ChainReport] {
        let database = LogDatabase(directory: directory)
        return try database.read { session throws(SQLiteError) in
            var reports: [ChainReport] = []
            let all = try session.streamNames()
            for name in streams ?? all {
                let report = try session.verifyChain(of: name) { progress(name, $0) }
                if let report { reports.append(report) }
            }
            return reports
        }
    }
}

extension LogSession {
    /// All names.
    func streamNames() throws(SQLiteError) -> [[UInt8]] {
        try blobs(statement(.streamNames).bind(1, Int64.min))
    }
}
