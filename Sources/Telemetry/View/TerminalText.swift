/// Text for terminals: names come from the wire and must neither steer the screen nor begin another line.
package enum TerminalText {
    /// The text with `?` for every scalar that a terminal would act on.
    package static func plain(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(isControl(scalar) ? "?" : scalar) }
        return String(result)
    }

    /// Control characters, line separators, and those that reorder text on a screen.
    package static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// Padded with blanks behind, never cut.
    package static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// Padded with blanks in front, never cut.
    package static func rightAligned(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    /// At most `width` characters, the last of them `…` where something is missing.
    package static func clipped(_ text: String, _ width: Int) -> String {
        text.count <= width ? text : text.prefix(max(0, width - 1)) + "…"
    }
}

/// Whether a terminal shows colours.
public enum TerminalStyle: Sendable {
    case plain
    case coloured

    /// The few meanings that have a colour.
    package enum Role: String {
        case good = "32"
        case warning = "33"
        case bad = "31"
        case faint = "2"
        case heading = "1"
    }

    package func paint(_ text: String, _ role: Role?) -> String {
        guard self == .coloured, let role, !text.isEmpty else { return text }
        return "\u{1B}[\(role.rawValue)m\(text)\u{1B}[0m"
    }
}

/// Durations and sizes with three digits that matter: `312 us`, `1.24 ms`, `75.0 ms`, `2.00 s`.
package enum QuantityText {
    package static func duration(nanoseconds: UInt64) -> String {
        switch nanoseconds {
        case ..<1_000: "\(nanoseconds) ns"
        case ..<999_500: scaled(nanoseconds, unit: 1_000, "us")
        case ..<999_500_000: scaled(nanoseconds, unit: 1_000_000, "ms")
        default: scaled(nanoseconds, unit: 1_000_000_000, "s")
        }
    }

    /// As above. Two clocks may disagree: what took less than nothing took nothing.
    package static func duration(seconds: Double) -> String {
        let nanoseconds = (seconds * 1e9).rounded()
        return duration(nanoseconds: nanoseconds > 0 && nanoseconds < 1e18 ? UInt64(nanoseconds) : 0)
    }

    static func size(bytes: Int64) -> String {
        let bytes = UInt64(max(0, bytes))
        return switch bytes {
        case ..<1_024: "\(bytes) B"
        case ..<1_048_576: scaled(bytes, unit: 1_024, "KiB")
        default: scaled(bytes, unit: 1_048_576, "MiB")
        }
    }

    /// Rounded half up, in whole numbers, so that every machine writes the same digits.
    private static func scaled(_ value: UInt64, unit: UInt64, _ name: String) -> String {
        let decimals = value >= 100 * unit ? 0 : value >= 10 * unit ? 1 : 2
        let factor: UInt64 = [1, 10, 100][decimals]
        let (whole, rest) = value.quotientAndRemainder(dividingBy: unit)
        let units = whole * factor + (rest * factor + unit / 2) / unit
        guard decimals > 0 else { return "\(units) \(name)" }
        let fraction = String(units % factor)
        return "\(units / factor).\(String(repeating: "0", count: decimals - fraction.count))\(fraction) \(name)"
    }
}
