/// Bytes as they come, lines as they end. A line longer than the limit ends the reading.
struct LineSplitter {
    /// Lines of the admin API have some hundred bytes; one trace on one line may have megabytes.
    static let lineBytesMax = 64 << 20

    private var unfinished: [UInt8] = []

    /// The lines that these bytes complete, without their newlines; nil when one is too long.
    mutating func lines(completedBy bytes: UnsafeRawBufferPointer) -> [String]? {
        var lines: [String] = []
        var rest = bytes[...]
        while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
            guard unfinished.count + newline - rest.startIndex <= Self.lineBytesMax else { return nil }
            unfinished.append(contentsOf: rest[..<newline])
            lines.append(String(decoding: unfinished, as: UTF8.self))
            unfinished.removeAll(keepingCapacity: true)
            rest = rest[(newline + 1)...]
        }
        guard unfinished.count + rest.count <= Self.lineBytesMax else { return nil }
        unfinished.append(contentsOf: rest)
        return lines
    }
}
