import Database

/// Why the event log cannot do what it was asked. The texts say what happened and what to do about it.
public enum LogError: Error, Equatable, Sendable {
    /// The data directory is missing and cannot be made, or is not writable.
    case directoryUnusable(path: String, reason: String)
    /// Another process has this log open.
    case alreadyOpen(path: String, processID: Int32?)
    /// The file is no event log, or its pages contradict each other.
    case corrupt(path: String, detail: String)
    /// A backup's chain of hashes does not hold, so it was not restored.
    case chainBroken(path: String, stream: [UInt8], ChainBreak)
    /// A later version of this program wrote the log.
    case newerSchema(found: Int64, supported: Int64)
    /// More work waits for the disk than the queue may hold. Nothing was written: try again later.
    case saturated(waiting: Int, limit: Int)
    /// The file system is full. What was acknowledged is safe and can be read.
    case diskFull
    /// The log is closing or closed. What was not answered before is not written.
    case closed
    /// SQLite or the system refused for another reason.
    case inputOutput(code: Int32, detail: String)
}

extension LogError: CustomStringConvertible {
    /// One sentence or two for people.
    public var description: String {
        switch self {
        case .directoryUnusable(let path, let reason):
            "The data directory \(path) cannot be used: \(reason). Give a directory that this user may write to."
        case .alreadyOpen(let path, let processID):
            "The event log in \(path) is open in another process"
                + (processID.map { " (\($0))" } ?? "") + ". Stop it, or give this one a directory of its own."
        case .corrupt(let path, let detail):
            "The event log \(path) is damaged: \(detail). Restore a backup, or move the file away to start anew."
        case .chainBroken(let path, let stream, let first):
            "The stream \(String(decoding: stream, as: UTF8.self)) in \(path) is damaged. \(first) Nothing was restored. "
                + "Use an older backup, or restore what can be read all the same (--force)."
        case .newerSchema(let found, let supported):
            "The event log has schema \(found) and this program knows schemas up to \(supported). Use a newer version."
        case .saturated(let waiting, let limit):
            "The event log is saturated: \(waiting) of at most \(limit) requests wait for the disk. Try again later."
        case .diskFull:
            "The disk is full. Nothing of this request was written; make room and try again."
        case .closed:
            "The event log is closed."
        case .inputOutput(let code, let detail):
            "The event log could not read or write (SQLite code \(code)): \(detail)."
        }
    }

    /// What an error of SQLite means for those who use the log.
    init(_ error: SQLiteError, path: String) {
        switch error.kind {
        case .damaged: self = .corrupt(path: path, detail: error.message)
        case .diskFull: self = .diskFull
        case .readOnly, .cannotOpen: self = .directoryUnusable(path: path, reason: error.message)
        case .busy, .other: self = .inputOutput(code: error.code, detail: error.message)
        }
    }
}
