/// Splits an inline command into its words by the quoting rules of Redis: blanks separate, `"..."` knows the escapes
/// `\n \r \t \b \a \xHH` (before any other byte a backslash only quotes it), `'...'` knows `\'` alone, and a closing
/// quote ends its word.
public enum InlineWords {
    /// The words of a line; empty for a blank one. Nil when quotes are unbalanced or a closing one is followed by
    /// anything but a blank, and for a line with a NUL, which Redis never sees the end of.
    public static func split(_ line: Span<UInt8>) -> [[UInt8]]? {
        for index in line.indices where line[index] == 0 { return nil }
        var words: [[UInt8]] = []
        var index = 0
        while true {
            while index < line.count, isBlank(line[index]) { index += 1 }
            guard index < line.count else { return words }
            guard let word = word(line, &index) else { return nil }
            words.append(word)
        }
    }

    /// Reads the word that begins here. Quotes may begin inside of it.
    private static func word(_ line: Span<UInt8>, _ index: inout Int) -> [UInt8]? {
        var word: [UInt8] = []
        while index < line.count {
            let byte = line[index]
            switch byte {
            // Vertical tab and form feed separate words but do not end one: so it is in Redis.
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                return word
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                index += 1
                let isClosed =
                    byte == UInt8(ascii: "'")
                    ? readSingleQuoted(line, &index, into: &word) : readDoubleQuoted(line, &index, into: &word)
                guard isClosed, index == line.count || isBlank(line[index]) else { return nil }
                return word
            default:
                word.append(byte)
                index += 1
            }
        }
        return word
    }

    /// Reads up to and including the closing quote. Returns false when there is none.
    private static func readSingleQuoted(_ line: Span<UInt8>, _ index: inout Int, into word: inout [UInt8]) -> Bool {
        while index < line.count {
            var byte = line[index]
            index += 1
            if byte == UInt8(ascii: "'") { return true }
            if byte == UInt8(ascii: "\\"), index < line.count, line[index] == UInt8(ascii: "'") {
                byte = UInt8(ascii: "'")
                index += 1
            }
            word.append(byte)
        }
        return false
    }

    /// Reads up to and including the closing quote. Returns false when there is none.
    private static func readDoubleQuoted(_ line: Span<UInt8>, _ index: inout Int, into word: inout [UInt8]) -> Bool {
        while index < line.count {
            let byte = line[index]
            index += 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte == UInt8(ascii: "\\"), index < line.count {
                word.append(readEscape(line, &index))
            } else {
                word.append(byte)
            }
        }
        return false
    }

    /// Reads what follows a backslash, at least one byte.
    private static func readEscape(_ line: Span<UInt8>, _ index: inout Int) -> UInt8 {
        let byte = line[index]
        index += 1
        switch byte {
        case UInt8(ascii: "n"): return UInt8(ascii: "\n")
        case UInt8(ascii: "r"): return UInt8(ascii: "\r")
        case UInt8(ascii: "t"): return UInt8(ascii: "\t")
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "a"): return 0x07
        case UInt8(ascii: "x"):
            guard line.count - index >= 2, let high = hexValue(line[index]), let low = hexValue(line[index + 1]) else {
                return byte
            }
            index += 2
            return high << 4 | low
        default: return byte
        }
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Space, and the control characters from tab to carriage return.
    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (0x09...0x0D).contains(byte)
    }
}
