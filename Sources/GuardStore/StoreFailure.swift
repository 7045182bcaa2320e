import Database

/// Why nothing can be kept or read at present.
public struct StoreFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// A closed set: the text is a metric label.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        case diskFull = "disk_full"
        case readOnly = "read_only"
        case cannotOpen = "cannot_open"
        case busy
        case damaged
        /// Written by a later version of the program, and left alone.
        case newerFormat = "newer_format"
        case inputOutput = "input_output"
    }

    /// What kind of failure it is.
    public let reason: Reason
    /// What happened and what to do. Names the file and nothing of its content.
    public let description: String

    init(_ failure: SQLiteError, path: String) {
        let (reason, advice): (Reason, String) =
            switch failure.kind {
            case .diskFull: (.diskFull, "make room on the disk")
            case .readOnly: (.readOnly, "make it writable")
            case .cannotOpen: (.cannotOpen, "check that the data directory exists and is writable")
            case .busy: (.busy, "another process holds it; each sidecar needs its own directory")
            case .damaged: (.damaged, "move it away to begin anew")
            case .other: (.inputOutput, "check the disk")
            }
        self.reason = reason
        description = "\(path): \(failure.message); \(advice)"
    }

    init(newerFormat format: Int64, path: String) {
        reason = .newerFormat
        description = "\(path) has format \(format), which a later version wrote; use that version, or move it away"
    }

    init(directory: String, message: String) {
        reason = .cannotOpen
        description = "the data directory \(directory) cannot be made: \(message)"
    }
}
