/// One row of a time series.
public struct SeriesRow: Sendable, Hashable {
    /// The timestamp as it was written.
    public var timestamp: ArraySlice<UInt8>
    /// The value as it was written.
    public var value: ArraySlice<UInt8>
    /// The timestamp in seconds since the beginning of 1970.
    public var unixSeconds: Double
    /// The value; it may be infinite or no number.
    public var number: Double
}

/// Why rows cannot be read, and where.
public struct SeriesError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong with the line.
    public enum Reason: Sendable, Hashable {
        /// There is no line at all.
        case empty
        case header(String)
        case columns(Int)
        case timestamp(String)
        case value(String)
        /// Longer than `SeriesDecoder.lineBytesMax`.
        case lineTooLong
    }

    /// Counted from 1.
    public var line: Int
    /// What is wrong.
    public var reason: Reason

    /// What is wrong, where, and what was expected.
    public var description: String {
        switch reason {
        case .empty: "the input is empty; expected the header line \"timestamp,value\""
        case .header(let found): "line \(line): expected the header \"timestamp,value\", found \"\(found)\""
        case .columns(let count): "line \(line): expected two columns, timestamp and value, found \(count)"
        case .timestamp(let found):
            "line \(line): \"\(found)\" is no ISO 8601 timestamp; expected one like 2026-01-31T12:00:00Z"
        case .value(let found): "line \(line): \"\(found)\" is no number"
        case .lineTooLong: "line \(line): longer than \(SeriesDecoder.lineBytesMax) bytes"
        }
    }
}

/// Decodes `timestamp,value` rows: CSV with that header line, from bytes as they arrive.
///
/// Lines end with LF or CRLF, the last one may have no end; a byte order mark, empty lines, spaces around fields and
/// quotes around them are tolerated. A line is held until it is complete, and searched for its end only once.
public struct SeriesDecoder: Sendable {
    /// A longer line cannot be a timestamp and a number.
    public static let lineBytesMax = 4096

    private var bytes: [UInt8] = []
    private var position = 0
    private var searched = 0
    private var isFinished = false
    private var hasHeader = false
    /// Lines that were taken.
    public private(set) var line = 0

    /// A decoder at the first byte.
    public init() {}

    /// Takes further input.
    public mutating func append(_ input: some Collection<UInt8>) {
        if position > 0 {
            bytes.removeSubrange(..<position)
            searched -= position
            position = 0
        }
        bytes.append(contentsOf: input)
    }

    /// There is no further input: what is left is the last line.
    public mutating func finish() { isFinished = true }

    /// The next row; nil until there is more input, and at the end. After an error there is nothing more to read.
    public mutating func next() throws(SeriesError) -> SeriesRow? {
        while let range = try nextLine() {
            guard hasHeader else {
                hasHeader = true
                try checkHeader(range)
                continue
            }
            if range.isEmpty { continue }
            return try row(range)
        }
        guard hasHeader || !isFinished else { throw SeriesError(line: 1, reason: .empty) }
        return nil
    }

    /// The next complete line, without its end.
    private mutating func nextLine() throws(SeriesError) -> Range<Int>? {
        let end = bytes.count
        let found = bytes.withUnsafeBufferPointer { bytes in
            var index = searched
            while index < end, bytes[index] != UInt8(ascii: "\n") { index += 1 }
            return index
        }
        searched = found
        guard found - position <= Self.lineBytesMax else {
            throw SeriesError(line: line + 1, reason: .lineTooLong)
        }
        guard found < end || isFinished && position < end else { return nil }
        var range = position..<found
        if let last = range.last, bytes[last] == UInt8(ascii: "\r") { range = range.lowerBound..<last }
        line += 1
        position = min(found + 1, end)
        searched = position
        return range
    }

    private func checkHeader(_ line: Range<Int>) throws(SeriesError) {
        var line = line
        if bytes[line].starts(with: [0xEF, 0xBB, 0xBF]) { line = line.lowerBound + 3..<line.upperBound }
        let names = bytes[line].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            .map { String(decoding: field($0.startIndex..<$0.endIndex), as: UTF8.self).lowercased() }
        guard names == ["timestamp", "value"] else {
            throw SeriesError(line: 1, reason: .header(Self.shown(bytes[line])))
        }
    }

    private func row(_ line: Range<Int>) throws(SeriesError) -> SeriesRow {
        var comma = line.lowerBound
        while comma < line.upperBound, bytes[comma] != UInt8(ascii: ",") { comma += 1 }
        let isSecond = comma < line.upperBound && !bytes[(comma + 1)..<line.upperBound].contains(UInt8(ascii: ","))
        guard isSecond else {
            let commas = bytes[line].count { $0 == UInt8(ascii: ",") }
            throw SeriesError(line: self.line, reason: .columns(commas + 1))
        }
        let timestamp = field(line.lowerBound..<comma)
        let value = field((comma + 1)..<line.upperBound)
        guard let seconds = ISO8601.unixSeconds(timestamp) else {
            throw SeriesError(line: self.line, reason: .timestamp(Self.shown(timestamp)))
        }
        guard let number = DecimalNumber.parse(value) else {
            throw SeriesError(line: self.line, reason: .value(Self.shown(value)))
        }
        return SeriesRow(timestamp: timestamp, value: value, unixSeconds: seconds, number: number)
    }

    /// The field without the spaces and the quotes around it.
    private func field(_ range: Range<Int>) -> ArraySlice<UInt8> {
        var (low, high) = (range.lowerBound, range.upperBound)
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        while low < high, isBlank(bytes[low]) { low += 1 }
        while low < high, isBlank(bytes[high - 1]) { high -= 1 }
        if high - low >= 2, bytes[low] == UInt8(ascii: "\""), bytes[high - 1] == UInt8(ascii: "\"") {
            (low, high) = (low + 1, high - 1)
        }
        return bytes[low..<high]
    }

    /// What was found, fit for a terminal.
    private static func shown(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(
            decoding: bytes.prefix(60).map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
        return bytes.count > 60 ? text + "..." : text
    }
}
