public import Logging

/// One log event as one line of text, without its closing newline: pure, time included.
public enum LogLine {
    /// For whom the line is.
    public enum Format: Sendable, Equatable {
        /// A person at a terminal: time, level, message, `key=value`.
        case text
        /// A program: an object with `ts`, `level`, `msg` and the metadata, flattened to dotted keys.
        case json
    }

    /// Unicode scalars of one message or metadata value that are written; the rest becomes `…`.
    static let valueScalarsMaximum = 1_024

    /// Renders one event.
    ///
    /// - Parameter time: wall time in nanoseconds since 1970-01-01 UTC.
    public static func render(
        level: Logger.Level, message: String, metadata: Logger.Metadata, time: UInt64, format: Format
    ) -> String {
        var pairs: [(key: String, value: String)] = []
        flatten(.dictionary(metadata), key: "", into: &pairs)
        pairs.sort { $0.key < $1.key }
        let message = clip(message)
        switch format {
        case .text:
            var line = "\(timestamp(time)) \(level.rawValue.padded(to: 8)) \(plain(message))"
            for (key, value) in pairs { line += " \(plain(key))=\(word(value))" }
            return line
        case .json:
            var line = "{\"ts\":\"\(timestamp(time))\",\"level\":\"\(level.rawValue)\",\"msg\":\(quoted(message))"
            for (key, value) in pairs {
                // No key appears twice in the object.
                let key = ["ts", "level", "msg"].contains(key) ? "metadata.\(key)" : key
                line += ",\(quoted(key)):\(quoted(value))"
            }
            return line + "}"
        }
    }

    private static func flatten(
        _ value: Logger.MetadataValue, key: String, into pairs: inout [(key: String, value: String)]
    ) {
        let prefix = key.isEmpty ? "" : key + "."
        switch value {
        case .string(let text): pairs.append((key, clip(text)))
        case .stringConvertible(let convertible): pairs.append((key, clip(convertible.description)))
        case .dictionary(let inner):
            for (name, value) in inner { flatten(value, key: prefix + name, into: &pairs) }
        case .array(let items):
            for (index, value) in items.enumerated() { flatten(value, key: "\(prefix)\(index)", into: &pairs) }
        }
    }

    private static func clip(_ text: String) -> String {
        let scalars = text.unicodeScalars
        let end = scalars.index(scalars.startIndex, offsetBy: valueScalarsMaximum, limitedBy: scalars.endIndex)
        guard let end, end != scalars.endIndex else { return text }
        return String(scalars[..<end]) + "…"
    }

    /// RFC 3339 in UTC with milliseconds. Days become a date by counting in 400-year eras from 1 March of year 0,
    /// where the leap day is the last day of its year.
    static func timestamp(_ time: UInt64) -> String {
        let milliseconds = Int(time / 1_000_000)
        let seconds = milliseconds / 1000
        let days = seconds / 86_400 + 719_468
        let (era, dayOfEra) = days.quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
        let date = "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))"
        let clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60].map { digits($0, 2) }
        return "\(date)T\(clock.joined(separator: ":")).\(digits(milliseconds % 1000, 3))Z"
    }

    private static func digits(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    /// A JSON string (RFC 8259, section 7), quotes included.
    static func quoted(_ text: String) -> String { "\"" + escaped(text, quotes: true, terminal: false) + "\"" }

    /// Text that cannot steer a terminal or begin another line.
    private static func plain(_ text: String) -> String { escaped(text, quotes: false, terminal: true) }

    /// A value of `key=value`: in quotes when it would not read back as one word.
    private static func word(_ value: String) -> String {
        let needsQuotes =
            value.isEmpty
            || value.unicodeScalars.contains {
                $0.value <= 0x20 || $0 == "\"" || $0 == "=" || $0 == "\\" || isControl($0)
            }
        return needsQuotes ? "\"" + escaped(value, quotes: true, terminal: true) + "\"" : value
    }

    private static func escaped(_ text: String, quotes: Bool, terminal: Bool) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"" where quotes, "\\" where quotes: result.append(contentsOf: ["\\", scalar])
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            case _ where scalar.value < 0x20 || terminal && isControl(scalar):
                let hexadecimal = String(scalar.value, radix: 16)
                let zeros = String(repeating: "0", count: max(0, 4 - hexadecimal.count))
                result.append(contentsOf: "\\u\(zeros)\(hexadecimal)".unicodeScalars)
            default: result.append(scalar)
            }
        }
        return String(result)
    }

    /// Control characters beyond ASCII's first 32, line separators, and those that reorder text on a screen.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
