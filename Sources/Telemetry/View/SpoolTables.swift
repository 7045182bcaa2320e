/// What the admin API says of the spool, for a terminal.
public struct SpoolTables: Sendable {
    private let style: TerminalStyle
    /// The bytes of a Base64 text.
    private let decode: @Sendable (String) -> [UInt8]?

    /// Tables in this style. `decode` gives the bytes of a Base64 text.
    public init(_ style: TerminalStyle, decode: @escaping @Sendable (String) -> [UInt8]?) {
        self.style = style
        self.decode = decode
    }

    /// One line per stream.
    public func text(_ list: SpoolList) -> String {
        var rows = [
            [
                "LISTENER", "DB", "STREAM", "WAITING", "SIZE", "OLDEST", "SET ASIDE", "SIZE", "OLDEST", "REASONS",
            ]
        ]
        var roles: [TerminalStyle.Role?] = [.heading]
        for stream in list.streams {
            let reasons = (stream.setAside.reasons ?? [:]).sorted { ($1.value, $0.key) < ($0.value, $1.key) }
                .map { "\(plain($0.key)) \($0.value)" }.joined(separator: ", ")
            rows.append(
                [
                    plain(stream.listener) + (stream.isSentOn ? "" : " (not there)"), "\(stream.database)",
                    plain(stream.stream),
                ] + Self.cells(stream.waiting) + Self.cells(stream.setAside) + [reasons.isEmpty ? "-" : reasons])
            roles.append(stream.setAside.messages > 0 ? .bad : nil)
        }
        let table = TextTable.text(rows, roles, right: [1, 3, 4, 6, 7], style)
        return list.leftOut > 0 ? table + "\nand \(list.leftOut) more streams" : table
    }

    private static func cells(_ part: SpoolStreamView.Part) -> [String] {
        [
            "\(part.messages)", QuantityText.size(bytes: Int64(clamping: part.bytes)),
            part.oldest.map(Self.time) ?? "-",
        ]
    }

    /// One message with all that it says.
    public func text(_ message: SpoolMessageView) -> String {
        let isWaiting = message.reason == nil
        var lines = [
            style.paint("message \(message.id)", .heading),
            "  of          \(plain(message.stream)), database \(message.database), listener \(plain(message.listener))",
            isWaiting
                ? "  waits since \(Self.time(message.since))"
                : "  set aside   \(Self.time(message.since)), \(plain(message.reason ?? ""))",
        ]
        if let stored = message.stored, let promised = message.promised {
            lines.append("  published   \(Self.time(stored)), answered with \(plain(promised))")
        }
        if let trace = message.traceID { lines.append("  trace       \(plain(trace))") }
        lines.append("  size        \(QuantityText.size(bytes: Int64(clamping: message.bytes)))")
        if let command = message.command {
            lines.append("  command     \(command.map(escaped).joined(separator: " "))")
        }
        for field in message.fields ?? [] where field.count == 2 {
            lines.append("  field       \(escaped(field[0]))=\(escaped(field[1]))")
        }
        if let body = message.body { lines.append("  body        \(escaped(body))") }
        if let head = message.head { lines.append("  head        \(escaped(head))") }
        if let tail = message.tail { lines.append("  tail        \(escaped(tail))") }
        return lines.joined(separator: "\n")
    }

    /// What a redrive has done, or would do.
    public func text(_ report: SpoolRedriveReport) -> String {
        let done = report.isDryRun ? "would send on \(report.redriven)" : "\(report.redriven) wait to be sent on"
        return done + ", leave \(report.skipped)"
    }

    /// What a purge has done.
    public func text(_ report: SpoolPurgeReport) -> String { "deleted \(report.purged)" }

    private func plain(_ text: String) -> String { TerminalText.clipped(TerminalText.plain(text), 48) }

    private func escaped(_ field: FieldView) -> String {
        switch field {
        case .text(let text): EscapedText.text(text)
        case .base64(let text): decode(text).map(EscapedText.text) ?? "?"
        }
    }

    private static func time(_ milliseconds: UInt64) -> String {
        let nanoseconds = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        guard milliseconds < 253_402_300_800_000, !nanoseconds.overflow else { return "\(milliseconds)" }
        return UTCTime.text(unixNanoseconds: nanoseconds.partialValue, .milliseconds)
    }
}

/// Bytes on a terminal, none of them lost: what is not printable as `\n`, `\r`, `\t` or `\xff`, a backslash doubled.
enum EscapedText {
    static func text(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar == "\\" || TerminalText.isControl(scalar) {
                for byte in UTF8.encode(scalar) ?? .init() { result += escape(byte) }
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// What is UTF-8 here and there is not looked for: bytes that are no text as a whole are shown as bytes.
    static func text(_ bytes: [UInt8]) -> String {
        var result = ""
        for byte in bytes {
            if (0x20..<0x7F).contains(byte), byte != UInt8(ascii: "\\") {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += escape(byte)
            }
        }
        return result
    }

    private static func escape(_ byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "\\"): return "\\\\"
        case UInt8(ascii: "\n"): return "\\n"
        case UInt8(ascii: "\r"): return "\\r"
        case UInt8(ascii: "\t"): return "\\t"
        default:
            let digits = String(byte, radix: 16)
            return byte < 0x10 ? "\\x0\(digits)" : "\\x\(digits)"
        }
    }
}
