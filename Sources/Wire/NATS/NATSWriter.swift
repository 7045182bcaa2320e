/// Appends NATS protocol to a buffer: what an edited operation is put together from, and what Tachograph itself says.
public enum NATSWriter {
    /// Appends a decimal number.
    public static func append(_ number: UInt64, to buffer: inout [UInt8]) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var (first, rest) = (digits.count, number)
        repeat {
            let tens = rest / 10
            first &-= 1
            digits[first] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest &- tens &* 10)
            rest = tens
        } while rest > 0
        for index in first..<digits.count { buffer.append(digits[index]) }
    }

    /// Appends a decimal number that is not negative.
    @inline(__always)
    public static func append(_ number: Int, to buffer: inout [UInt8]) {
        append(UInt64(number.magnitude), to: &buffer)
    }

    /// How many digits a number has.
    public static func digitCount(_ number: UInt64) -> Int {
        var (count, rest) = (1, number / 10)
        while rest > 0 { (count, rest) = (count + 1, rest / 10) }
        return count
    }

    /// Appends CRLF.
    public static func appendLineEnd(to buffer: inout [UInt8]) {
        buffer.append(UInt8(ascii: "\r"))
        buffer.append(UInt8(ascii: "\n"))
    }

    /// An error of the protocol, say `-ERR 'upstream unreachable'\r\n`. Line breaks and quotes become blanks.
    public static func error(_ message: String) -> [UInt8] {
        var line = Array("-ERR '".utf8)
        for byte in message.utf8 {
            let isAllowed = byte >= 0x20 && byte != UInt8(ascii: "'")
            line.append(isAllowed ? byte : UInt8(ascii: " "))
        }
        line.append(UInt8(ascii: "'"))
        appendLineEnd(to: &line)
        return line
    }
}
