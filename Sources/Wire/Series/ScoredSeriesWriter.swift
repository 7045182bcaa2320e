/// Writes rows with their scores, `timestamp,value,anomaly_score`: what was read is written as it was read.
public struct ScoredSeriesWriter: Sendable {
    /// How rows are written.
    public enum Format: String, Sendable, Hashable, CaseIterable {
        case csv
        /// One array of objects.
        case json
        /// One object per line.
        case ndjson
    }

    private let format: Format
    private var rows = 0
    /// What was written and not yet taken.
    public private(set) var bytes: [UInt8] = []

    /// A writer that has written what precedes the rows.
    public init(_ format: Format) {
        self.format = format
        switch format {
        case .csv: append("timestamp,value,anomaly_score\n")
        case .json: append("[")
        case .ndjson: break
        }
    }

    /// Writes a row.
    public mutating func write(_ row: SeriesRow, score: Double) {
        switch format {
        case .csv:
            bytes.append(contentsOf: row.timestamp)
            bytes.append(UInt8(ascii: ","))
            bytes.append(contentsOf: row.value)
            bytes.append(UInt8(ascii: ","))
            append(score)
        case .json:
            append(rows == 0 ? "\n" : ",\n")
            writeObject(row, score)
        case .ndjson:
            writeObject(row, score)
        }
        if format != .json { bytes.append(UInt8(ascii: "\n")) }
        rows += 1
    }

    /// Writes what follows the rows.
    public mutating func finish() {
        if format == .json { append(rows == 0 ? "]\n" : "\n]\n") }
    }

    /// What was written has been taken.
    public mutating func clear() { bytes.removeAll(keepingCapacity: true) }

    /// A timestamp that was understood holds no character that JSON would escape.
    private mutating func writeObject(_ row: SeriesRow, _ score: Double) {
        append("{\"timestamp\":\"")
        bytes.append(contentsOf: row.timestamp)
        append("\",\"value\":")
        if DecimalNumber.isJSON(row.value) {
            bytes.append(contentsOf: row.value)
        } else {
            append(row.number.isFinite ? row.number.description : "null")
        }
        append(",\"anomaly_score\":")
        append(score)
        bytes.append(UInt8(ascii: "}"))
    }

    private mutating func append(_ score: Double) {
        // Most rows are nothing new, and making text of a number takes longer than all the rest.
        if score == 0 { append("0.0" as StaticString) } else { append(score.description) }
    }

    private mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
