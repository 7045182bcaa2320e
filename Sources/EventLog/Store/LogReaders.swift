import Database

/// A few threads that only read, each with a connection of its own: what takes long there keeps no writer waiting.
final class LogReaders: Sendable {
    private let queue = WorkQueue<ReadJob>()
    private let threads: [LogThread]

    /// One look at the log. `perform` sees one moment, the last commit before it began; `finish` tells how it went.
    struct ReadJob: Sendable {
        var perform: @Sendable (LogSession) throws(SQLiteError) -> @Sendable () -> Void
        var fail: @Sendable (LogError) -> Void
    }

    init(database: LogDatabase, threads count: Int) {
        let queue = queue
        threads = (0..<count).map { _ in LogThread { Self.run(queue, database) } }
    }

    /// Takes a look when a thread is free. False when so many wait already.
    func offer(_ job: ReadJob, limit: Int) -> WorkOffer {
        queue.offer(job, limit: limit)
    }

    /// Finishes what waits and ends the threads.
    func close() {
        queue.close()
        for thread in threads { thread.join() }
    }

    private static func run(_ queue: WorkQueue<ReadJob>, _ database: LogDatabase) {
        var session: LogSession?
        while let jobs = queue.take(upTo: 1, waitingMilliseconds: 60_000) {
            for job in jobs {
                do throws(LogError) {
                    // A connection that failed is given up: the next job begins with a new one.
                    let current: LogSession
                    if let session { current = session } else { current = LogSession(try database.openReader()) }
                    session = nil
                    let answer = try look(job, current, database.path)
                    session = current
                    answer()
                } catch {
                    job.fail(error)
                }
            }
        }
    }

    private static func look(
        _ job: ReadJob, _ session: LogSession, _ path: String
    ) throws(LogError) -> @Sendable () -> Void {
        do throws(SQLiteError) {
            try session.statement(.beginRead).run()
            let answer = try job.perform(session)
            try session.statement(.commit).run()
            session.forget()
            return answer
        } catch {
            throw LogError(error, path: path)
        }
    }
}
