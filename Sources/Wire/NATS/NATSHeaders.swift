/// Reads a header block: `NATS/1.0`, perhaps a status, then `Name: value` lines and an empty one.
///
/// Works on held bytes and copies nothing. Lines that are no headers are passed over: a client's mistake is not ours to
/// mend. Format: NATS architecture decision record 4.
public struct NATSHeaders {
    /// One line of the block.
    public struct Line: Equatable, Sendable {
        /// The whole line with its line end.
        public var whole: Range<Int>
        /// The name, as it was written.
        public var name: Range<Int>
        /// The value without the blanks around it.
        public var value: Range<Int>
    }

    private let end: Int
    private var next: Int
    /// The three digits of the status line, or 0.
    public let status: Int
    /// What follows the status; empty when there is none.
    public let statusText: Range<Int>

    /// The first bytes of every block.
    public static let version: StaticString = "NATS/1.0"

    /// Nil when the block does not begin as one.
    public init?(_ bytes: Span<UInt8>, in block: Range<Int>) {
        let version = Self.version.utf8CodeUnitCount
        guard block.count >= version + 2,
            ASCIIText.isSame(bytes, in: block.lowerBound..<block.lowerBound + version, Self.version)
        else { return nil }
        var line = block.lowerBound + version
        let lineEnd = Self.lineFeed(bytes, line, block.upperBound)
        guard lineEnd < block.upperBound else { return nil }
        var textEnd = lineEnd
        if textEnd > line, bytes[textEnd - 1] == UInt8(ascii: "\r") { textEnd -= 1 }
        while line < textEnd, Self.isBlank(bytes[line]) { line += 1 }
        var code = 0
        var digits = 0
        while line < textEnd, digits < 3, bytes[line] &- UInt8(ascii: "0") <= 9 {
            code = code * 10 + Int(bytes[line] &- UInt8(ascii: "0"))
            line += 1
            digits += 1
        }
        status = digits == 3 ? code : 0
        while line < textEnd, Self.isBlank(bytes[line]) { line += 1 }
        statusText = line..<textEnd
        next = lineEnd + 1
        end = block.upperBound
    }

    /// The next header, in the order of the block; nil at its end.
    public mutating func nextLine(_ bytes: Span<UInt8>) -> Line? {
        while next < end {
            let start = next
            let lineFeed = Self.lineFeed(bytes, start, end)
            next = min(end, lineFeed + 1)
            var textEnd = lineFeed
            if textEnd > start, bytes[textEnd - 1] == UInt8(ascii: "\r") { textEnd -= 1 }
            let colon = ASCIIText.place(of: UInt8(ascii: ":"), bytes, in: start..<textEnd)
            guard colon > start, colon < textEnd else { continue }
            var first = colon + 1
            while first < textEnd, Self.isBlank(bytes[first]) { first += 1 }
            var last = textEnd
            while last > first, Self.isBlank(bytes[last - 1]) { last -= 1 }
            return Line(whole: start..<next, name: start..<colon, value: first..<last)
        }
        return nil
    }

    /// Where the empty line begins that ends the block: headers that are added stand in front of it. Nil when the block
    /// does not end as one.
    public static func endOfLines(_ bytes: Span<UInt8>, in block: Range<Int>) -> Int? {
        guard block.count >= version.utf8CodeUnitCount + 4,
            bytes[block.upperBound - 1] == UInt8(ascii: "\n"), bytes[block.upperBound - 2] == UInt8(ascii: "\r"),
            bytes[block.upperBound - 3] == UInt8(ascii: "\n"), bytes[block.upperBound - 4] == UInt8(ascii: "\r")
        else { return nil }
        return block.upperBound - 2
    }

    @inline(__always)
    private static func lineFeed(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
        ASCIIText.place(of: UInt8(ascii: "\n"), bytes, in: start..<end)
    }

    @inline(__always)
    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
}
