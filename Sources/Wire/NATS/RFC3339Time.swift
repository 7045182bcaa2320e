/// Reads a time stamp as servers write it into JSON: `2026-08-04T12:34:56.123456789Z`, or with an offset.
///
/// Format: RFC 3339. The days of a civil date are counted as Howard Hinnant's `days_from_civil` does.
public enum RFC3339Time {
    /// Nanoseconds since 1970, or nil for what is no such time, or one before 1970 or after 2200.
    public static func unixNanoseconds(_ bytes: Span<UInt8>, in range: Range<Int>) -> UInt64? {
        guard range.count >= 20, range.count <= 40 else { return nil }
        let start = range.lowerBound
        func number(_ offset: Int, _ count: Int) -> Int? {
            ASCIIText.unsigned(bytes, in: start + offset..<start + offset + count).map { Int($0) }
        }
        func isByte(_ offset: Int, _ byte: UInt8) -> Bool { bytes[start + offset] == byte }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), let second = number(17, 2), isByte(4, UInt8(ascii: "-")),
            isByte(7, UInt8(ascii: "-")), isByte(10, UInt8(ascii: "T")) || isByte(10, UInt8(ascii: "t")),
            isByte(13, UInt8(ascii: ":")), isByte(16, UInt8(ascii: ":")),
            (1970...2200).contains(year), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        var position = start + 19
        var fraction = 0
        if bytes[position] == UInt8(ascii: ".") {
            position += 1
            var unit = 100_000_000
            while position < range.upperBound, bytes[position] &- UInt8(ascii: "0") <= 9 {
                fraction += Int(bytes[position] &- UInt8(ascii: "0")) * unit
                unit /= 10
                position += 1
            }
        }
        guard let offset = offsetSeconds(bytes, position..<range.upperBound) else { return nil }
        let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset
        return seconds < 0 ? nil : UInt64(seconds) * 1_000_000_000 + UInt64(fraction)
    }

    /// `Z`, or `+hh:mm` and `-hh:mm`.
    private static func offsetSeconds(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Int? {
        guard let first = text.first else { return nil }
        if text.count == 1, bytes[first] == UInt8(ascii: "Z") || bytes[first] == UInt8(ascii: "z") { return 0 }
        guard text.count == 6, bytes[first + 3] == UInt8(ascii: ":"),
            let hours = ASCIIText.unsigned(bytes, in: first + 1..<first + 3),
            let minutes = ASCIIText.unsigned(bytes, in: first + 4..<first + 6), hours < 24, minutes < 60
        else { return nil }
        let seconds = Int(hours) * 3_600 + Int(minutes) * 60
        switch bytes[first] {
        case UInt8(ascii: "+"): return seconds
        case UInt8(ascii: "-"): return -seconds
        default: return nil
        }
    }

    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
