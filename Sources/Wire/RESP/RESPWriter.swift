/// Appends RESP to a buffer: what an edited frame is put together from, and the errors Tachograph itself answers with.
public enum RESPWriter {
    /// Appends a type byte, a decimal number and CRLF: the header of an aggregate or a bulk, or an integer.
    public static func appendHeader(type: UInt8, count: Int, to buffer: inout [UInt8]) {
        buffer.append(type)
        if count < 0 { buffer.append(UInt8(ascii: "-")) }
        // From the highest power of ten that the number reaches, so that digits are written once, in order.
        let number = count.magnitude
        var power: UInt = 1
        while number / power >= 10 { power *= 10 }
        while power > 0 {
            buffer.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number / power % 10))
            power /= 10
        }
        appendLineEnd(to: &buffer)
    }

    /// Appends a bulk string, header and line end included.
    @inlinable
    public static func appendBulk(_ bytes: some Collection<UInt8>, to buffer: inout [UInt8]) {
        appendHeader(type: UInt8(ascii: "$"), count: bytes.count, to: &buffer)
        buffer.append(contentsOf: bytes)
        appendLineEnd(to: &buffer)
    }

    /// An error reply, say `-ERR upstream unreachable\r\n`. The message begins with its upper-case prefix; line breaks
    /// in it become spaces.
    public static func error(_ message: String) -> [UInt8] {
        var line: [UInt8] = [UInt8(ascii: "-")]
        for byte in message.utf8 {
            let isLineBreak = byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n")
            line.append(isLineBreak ? UInt8(ascii: " ") : byte)
        }
        appendLineEnd(to: &line)
        return line
    }

    @usableFromInline
    static func appendLineEnd(to buffer: inout [UInt8]) {
        buffer.append(UInt8(ascii: "\r"))
        buffer.append(UInt8(ascii: "\n"))
    }
}
