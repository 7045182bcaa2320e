/// Points in time from the text of ISO 8601 in its extended form, without a calendar library and without allocation.
///
/// `2026-01-31T12:34:56.789Z`, with `T`, `t` or a space; seconds, their fraction, the time of day and the zone may be
/// absent. Without a zone the time is UTC. `+01:00`, `+0100` and `+01` are offsets; a leap second is taken.
public enum ISO8601 {
    /// Seconds since 1970-01-01T00:00:00Z; nil where the text is no such time.
    public static func unixSeconds(_ text: ArraySlice<UInt8>) -> Double? {
        text.withUnsafeBufferPointer { bytes in
            var reader = Reader(bytes: bytes)
            return reader.time()
        }
    }

    private struct Reader {
        let bytes: UnsafeBufferPointer<UInt8>
        var position = 0

        mutating func time() -> Double? {
            guard let days = date() else { return nil }
            var seconds = 0
            var fraction = 0.0
            var offset = 0
            if position < bytes.count {
                guard take("T") || take("t") || take(" "), let clock = clock() else { return nil }
                (seconds, fraction) = clock
                guard let zone = zone() else { return nil }
                offset = zone
            }
            guard position == bytes.count else { return nil }
            return Double(days * 86_400 + seconds - offset) + fraction
        }

        /// Days since 1970-01-01, by counting in 400-year eras from 1 March of year 0.
        private mutating func date() -> Int? {
            guard let year = digits(4), take("-"), let month = digits(2), (1...12).contains(month), take("-"),
                let day = digits(2), (1...Self.length(of: month, year)).contains(day)
            else { return nil }
            let marchYear = month <= 2 ? year - 1 : year
            let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
            let yearOfEra = marchYear - era * 400
            let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
            return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        }

        private static func length(of month: Int, _ year: Int) -> Int {
            if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
            return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
        }

        private mutating func clock() -> (seconds: Int, fraction: Double)? {
            guard let hour = digits(2), hour < 24, take(":"), let minute = digits(2), minute < 60 else { return nil }
            guard take(":") else { return (hour * 3600 + minute * 60, 0) }
            guard let second = digits(2), second <= 60 else { return nil }
            let seconds = hour * 3600 + minute * 60 + second
            guard take(".") else { return (seconds, 0) }
            var (numerator, denominator) = (0.0, 1.0)
            let first = position
            while position < bytes.count, let digit = digit(position) {
                // Further digits are below what a number of this size can tell.
                if position - first < 15 {
                    numerator = numerator * 10 + Double(digit)
                    denominator *= 10
                }
                position += 1
            }
            return position > first ? (seconds, numerator / denominator) : nil
        }

        /// Seconds east of UTC.
        private mutating func zone() -> Int? {
            if position == bytes.count || take("Z") || take("z") { return 0 }
            let isEast = take("+")
            guard isEast || take("-"), let hours = digits(2), hours < 24 else { return nil }
            var minutes = 0
            if position < bytes.count {
                _ = take(":")
                guard let taken = digits(2), taken < 60 else { return nil }
                minutes = taken
            }
            return (hours * 3600 + minutes * 60) * (isEast ? 1 : -1)
        }

        @inline(__always)
        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard position < bytes.count, bytes[position] == UInt8(truncatingIfNeeded: character.value) else {
                return false
            }
            position += 1
            return true
        }

        @inline(__always)
        private mutating func digits(_ count: Int) -> Int? {
            guard position + count <= bytes.count else { return nil }
            var number = 0
            for index in position..<position + count {
                guard let digit = digit(index) else { return nil }
                number = number * 10 + digit
            }
            position += count
            return number
        }

        @inline(__always)
        private func digit(_ index: Int) -> Int? {
            let digit = bytes[index] &- UInt8(ascii: "0")
            return digit < 10 ? Int(digit) : nil
        }
    }
}
