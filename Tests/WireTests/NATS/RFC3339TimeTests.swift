import Testing
import Wire

@Suite("RFC 3339 times")
struct RFC3339TimeTests {
    private func nanoseconds(_ text: String) -> UInt64? {
        let bytes = Array(text.utf8)
        return RFC3339Time.unixNanoseconds(bytes.span, in: 0..<bytes.count)
    }

    @Test(
        "times",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2023-11-14T22:13:20Z", 1_700_000_000_000_000_000),
            ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123_456_789),
            ("2023-11-14t22:13:20.5z", 1_700_000_000_500_000_000),
            ("2023-11-15T00:13:20+02:00", 1_700_000_000_000_000_000),
            ("2023-11-14T17:43:20-04:30", 1_700_000_000_000_000_000),
            ("2000-02-29T12:00:00Z", 951_825_600_000_000_000),
            ("2023-11-14T22:13:20.1234567891234Z", 1_700_000_000_123_456_789),
        ])
    func times(text: String, expected: UInt64) {
        #expect(nanoseconds(text) == expected)
    }

    @Test(
        "what is none",
        arguments: [
            "", "2023-11-14", "2023-11-14T22:13:20", "2023-13-14T22:13:20Z", "2023-11-14T24:13:20Z",
            "1969-12-31T23:59:59Z",
            "2023-11-14 22:13:20Z", "x023-11-14T22:13:20Z", "2023-11-14T22:13:20.5", "2023-11-14T22:13:20+2:00Z",
            "1970-01-01T00:00:00+01:00", "9999-11-14T22:13:20Z",
        ])
    func others(text: String) {
        #expect(nanoseconds(text) == nil)
    }
}
