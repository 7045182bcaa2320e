import Wire

/// Writes replies in RESP2 or RESP3: https://redis.io/docs/latest/develop/reference/protocol-spec/
struct RedisReplyWriter {
    private(set) var bytes: [UInt8] = []
    var version = RESPVersion.two

    init(version: RESPVersion = .two) { self.version = version }

    /// What was written so far, which is then forgotten.
    mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    /// Room for so many more bytes.
    mutating func reserve(_ count: Int) { bytes.reserveCapacity(bytes.count + count) }

    mutating func append(raw: [UInt8]) { bytes.append(contentsOf: raw) }

    mutating func simple(_ text: StaticString) {
        bytes.append(UInt8(ascii: "+"))
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
        end()
    }

    mutating func simple(_ text: String) {
        bytes.append(UInt8(ascii: "+"))
        bytes.append(contentsOf: text.utf8)
        end()
    }

    mutating func error(_ message: String) { bytes.append(contentsOf: RESPWriter.error(message)) }

    mutating func integer(_ value: Int64) {
        RESPWriter.appendHeader(type: UInt8(ascii: ":"), count: Int(value), to: &bytes)
    }

    mutating func bulk(_ value: some Collection<UInt8>) { RESPWriter.appendBulk(value, to: &bytes) }

    mutating func bulk(_ text: String) { RESPWriter.appendBulk(text.utf8, to: &bytes) }

    /// An id as a bulk string, without making a string.
    mutating func id(_ id: StreamID) {
        header("$", Self.digits(id.milliseconds) + Self.digits(id.sequence) + 1)
        decimal(id.milliseconds)
        bytes.append(UInt8(ascii: "-"))
        decimal(id.sequence)
        end()
    }

    mutating func null() {
        if version == .three { bytes.append(contentsOf: "_\r\n".utf8) } else { header("$", -1) }
    }

    mutating func nullArray() {
        if version == .three { bytes.append(contentsOf: "_\r\n".utf8) } else { header("*", -1) }
    }

    mutating func array(_ count: Int) { header("*", count) }

    /// Pairs: a map, or in RESP2 a flat array.
    mutating func map(_ count: Int) {
        if version == .three { header("%", count) } else { header("*", 2 * count) }
    }

    mutating func set(_ count: Int) { header(version == .three ? "~" : "*", count) }

    /// A message that answers nothing: a push, or in RESP2 an array like any other.
    mutating func push(_ count: Int) { header(version == .three ? ">" : "*", count) }

    /// Text with lines, meant for people: a verbatim string, or in RESP2 a bulk.
    mutating func text(_ text: String) {
        guard version == .three else { return bulk(text) }
        header("=", text.utf8.count + 4)
        bytes.append(contentsOf: "txt:".utf8)
        bytes.append(contentsOf: text.utf8)
        end()
    }

    /// Several strings in an array.
    mutating func bulks(_ values: [[UInt8]]) {
        array(values.count)
        for value in values { bulk(value) }
    }

    private mutating func header(_ type: Unicode.Scalar, _ count: Int) {
        RESPWriter.appendHeader(type: UInt8(ascii: type), count: count, to: &bytes)
    }

    private mutating func end() {
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func digits(_ value: UInt64) -> Int {
        var count = 1
        var rest = value / 10
        while rest > 0 {
            count += 1
            rest /= 10
        }
        return count
    }

    private mutating func decimal(_ value: UInt64) {
        let first = bytes.count
        var rest = value
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes[first...].reverse()
    }
}

/// The two forms of RESP, by their number in HELLO.
public enum RESPVersion: Int, Sendable {
    /// What every connection begins with.
    case two = 2
    /// After `HELLO 3`.
    case three = 3
}
