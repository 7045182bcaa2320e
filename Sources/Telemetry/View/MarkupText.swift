/// Text inside XML and HTML: names come from the wire and must stay text.
enum MarkupText {
    /// Fit for element content and for attribute values in double quotes. Control characters, which XML forbids, and
    /// those that reorder text are shown as `?`.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in TerminalText.plain(text).unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            // The two noncharacters that XML 1.0 leaves out (section 2.2).
            case "\u{FFFE}", "\u{FFFF}": result += "?"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Tenths are finer than a screen; whole numbers stay short.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "0" }
        let tenths = Int((min(max(value, -1e9), 1e9) * 10).rounded())
        let (whole, rest) = abs(tenths).quotientAndRemainder(dividingBy: 10)
        return (tenths < 0 ? "-" : "") + "\(whole)" + (rest == 0 ? "" : ".\(rest)")
    }
}
