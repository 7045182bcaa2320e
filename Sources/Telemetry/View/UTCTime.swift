/// Points in time as RFC 3339 text in UTC, without Foundation.
package enum UTCTime {
    /// Digits behind the second.
    package enum Precision: UInt64 {
        case milliseconds = 1_000
        case microseconds = 1_000_000
    }

    /// The text of a time in nanoseconds since 1970-01-01; days become a date by counting in 400-year eras from
    /// 1 March of year 0, where the leap day is the last day of its year.
    package static func text(unixNanoseconds: UInt64, _ precision: Precision) -> String {
        let seconds = Int(unixNanoseconds / 1_000_000_000)
        let fraction = unixNanoseconds % 1_000_000_000 / (1_000_000_000 / precision.rawValue)
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
        let places = precision == .milliseconds ? 3 : 6
        return "\(date)T\(clock.joined(separator: ":")).\(digits(Int(fraction), places))Z"
    }

    private static func digits(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
