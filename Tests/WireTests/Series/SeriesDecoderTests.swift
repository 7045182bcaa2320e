import Foundation
import Testing

@testable import Wire

/// Rows of a time series, from bytes as they may arrive.
@Suite struct SeriesDecoderTests {
    private func rows(_ text: String, split: Int? = nil) throws(SeriesError) -> [String] {
        var decoder = SeriesDecoder()
        var rows: [String] = []
        let bytes = Array(text.utf8)
        for part in split.map({ [bytes[..<$0], bytes[$0...]] }) ?? [bytes[...]] {
            decoder.append(part)
            while let row = try decoder.next() { rows.append(Self.text(row)) }
        }
        decoder.finish()
        while let row = try decoder.next() { rows.append(Self.text(row)) }
        #expect(try decoder.next() == nil)
        return rows
    }

    private static func text(_ row: SeriesRow) -> String {
        let (timestamp, value) = (
            String(decoding: row.timestamp, as: UTF8.self), String(decoding: row.value, as: UTF8.self)
        )
        return "\(timestamp)=\(row.unixSeconds) \(value)=\(row.number)"
    }

    private func problem(_ text: String) -> String? {
        do throws(SeriesError) {
            _ = try rows(text)
            return nil
        } catch {
            return error.description
        }
    }

    private static let sample =
        "\u{FEFF}timestamp,value\r\n1970-01-01T00:00:01Z,1.5\r\n\r\n \"1970-01-01 00:00:02\" ,\t-2e3 \n1970-01-02,nan"
    private static let expected = [
        "1970-01-01T00:00:01Z=1.0 1.5=1.5", "1970-01-01 00:00:02=2.0 -2e3=-2000.0", "1970-01-02=86400.0 nan=nan",
    ]

    @Test("byte order mark, CRLF, empty lines, spaces, quotes, and a last line without end")
    func tolerance() throws {
        #expect(try rows(Self.sample) == Self.expected)
        #expect(try rows("timestamp,value\n") == [])
        #expect(try rows("Timestamp, Value") == [])
    }

    @Test("split at every point")
    func splits() throws {
        for split in 0...Self.sample.utf8.count { #expect(try rows(Self.sample, split: split) == Self.expected) }
    }

    @Test("one byte at a time")
    func bytewise() throws {
        var decoder = SeriesDecoder()
        var rows: [String] = []
        for byte in Self.sample.utf8 {
            decoder.append([byte])
            while let row = try decoder.next() { rows.append(Self.text(row)) }
        }
        decoder.finish()
        while let row = try decoder.next() { rows.append(Self.text(row)) }
        #expect(rows == Self.expected)
    }

    @Test("what is wrong is told with its line")
    func errors() {
        #expect(problem("") == "the input is empty; expected the header line \"timestamp,value\"")
        #expect(
            problem("time,value\n") == "line 1: expected the header \"timestamp,value\", found \"time,value\"")
        #expect(problem("2026-01-01,1\n")?.contains("line 1: expected the header") == true)
        let head = "timestamp,value\n2026-01-01,1\n"
        #expect(problem(head + "2026-01-02\n") == "line 3: expected two columns, timestamp and value, found 1")
        #expect(problem(head + "2026-01-02,1,2\n") == "line 3: expected two columns, timestamp and value, found 3")
        #expect(
            problem(head + "\n1767225600,1\n")
                == "line 4: \"1767225600\" is no ISO 8601 timestamp; expected one like 2026-01-31T12:00:00Z")
        #expect(problem(head + "2026-01-02,x\u{1B}[2J\n") == "line 3: \"x?[2J\" is no number")
        #expect(problem(head + "2026-01-02,\n") == "line 3: \"\" is no number")
        #expect(problem(head + String(repeating: "9", count: 5000)) == "line 3: longer than 4096 bytes")
        var decoder = SeriesDecoder()
        decoder.append(Array(String(repeating: "9", count: 5000).utf8))
        #expect(throws: SeriesError(line: 1, reason: .lineTooLong)) { _ = try decoder.next() }
    }

    @Test(
        "forms of a timestamp",
        arguments: [
            ("1970-01-01T00:00:00Z", 0.0), ("2026-01-31T12:34:56Z", 1_769_862_896),
            ("2026-01-31t12:34:56z", 1_769_862_896),
            ("2026-01-31 12:34:56", 1_769_862_896), ("2026-01-31T12:34", 1_769_862_840), ("2026-01-31", 1_769_817_600),
            ("2026-01-31T12:34:56.5Z", 1_769_862_896.5), ("2026-01-31T13:34:56+01:00", 1_769_862_896),
            ("2026-01-31T07:04:56-0530", 1_769_862_896), ("2026-01-31T13:34:56+01", 1_769_862_896),
            ("2024-02-29T00:00:00Z", 1_709_164_800), ("2000-02-29", 951_782_400), ("1969-12-31T23:59:59Z", -1),
            ("0001-01-01T00:00:00Z", -62_135_596_800), ("9999-12-31T23:59:59Z", 253_402_300_799),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("2026-01-31T12:34:56.12345678901234567890Z", 1_769_862_896.1234567),
        ])
    func timestamps(text: String, seconds: Double) throws {
        let parsed = try #require(ISO8601.unixSeconds(Array(text.utf8)[...]))
        #expect(abs(parsed - seconds) < 1e-6)
    }

    @Test(
        "what is no timestamp",
        arguments: [
            "", "2026", "2026-13-01", "2026-00-01", "2026-02-29", "1900-02-29", "2026-04-31", "2026-01-00", "2026-1-1",
            "2026-01-31T", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z", "2026-01-31T12:34:61Z",
            "2026-01-31T12:34:56.Z",
            "2026-01-31T12:34:56ZZ", "2026-01-31T12:34:56+25:00", "2026-01-31T12:34:56+1", "2026/01/31", "1767225600",
            "2026-01-31T12", "-026-01-31", "2026-01-31T12:34:56 Z", "20260131T123456Z",
        ])
    func noTimestamps(text: String) { #expect(ISO8601.unixSeconds(Array(text.utf8)[...]) == nil) }

    @Test("timestamps agree with Foundation's")
    func agreement() throws {
        var random = SystemRandomNumberGenerator()
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for _ in 0..<2_000 {
            let milliseconds = Double(Int64.random(in: -12_000_000_000_000...250_000_000_000_000, using: &random))
            let text = Date(timeIntervalSince1970: milliseconds / 1000).formatted(style)
            guard text.count == 24 else { continue }
            let parsed = try #require(ISO8601.unixSeconds(Array(text.utf8)[...]), "\(text)")
            let back = try Date(text, strategy: style).timeIntervalSince1970
            #expect(abs(parsed - back) < 0.002, "\(text)")
        }
    }

    @Test("numbers are the nearest doubles, as the standard library reads them")
    func numbers() {
        var random = SystemRandomNumberGenerator()
        func check(_ text: String) {
            let parsed = DecimalNumber.parse(Array(text.utf8)[...])
            #expect(parsed == Double(text), "\(text)")
        }
        for text in [
            "0", "-0", "1", "+1", ".5", "5.", "1e22", "1e23", "9007199254740993", "9007199254740992", "0.1", "1e-22",
            "1e-23", "123456789012345678901234567890", "1e400", "1e-400", "000000000000000000000000000001.5", "1E+5",
            "0.00000000000000000000000000001", "1.7976931348623157e308", "4.9e-324", "2.2250738585072011e-308",
        ] { check(text) }
        for _ in 0..<20_000 {
            let any = Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &random))
            if any.isFinite { check("\(any)") }
            check("\(Double.random(in: -1000...1000, using: &random))")
            check(
                "\(Int.random(in: -1_000_000...1_000_000, using: &random)).\(UInt32.random(in: 0...9999, using: &random))"
            )
        }
        for text in ["", "-", ".", "e5", "1e", "1e+", "1.2.3", "0x10", "1_000", "1,5", "--1", "1 2", "nano", "infin"] {
            #expect(DecimalNumber.parse(Array(text.utf8)[...]) == nil, "\(text)")
        }
        #expect(DecimalNumber.parse(Array("-Infinity".utf8)[...]) == -.infinity)
        #expect(DecimalNumber.parse(Array("NaN".utf8)[...])?.isNaN == true)
        #expect(DecimalNumber.parse(Array("1e99999999999999999999".utf8)[...]) == .infinity)
    }

    @Test("rows are written as they were read, in three formats; JSON gets only numbers that it knows")
    func writing() throws {
        let text =
            "timestamp,value\n2026-01-01T00:00:00Z,1.50\n2026-01-02,+7\n2026-01-03,.5\n2026-01-04,nan\n2026-01-05,07\n"
        func written(_ format: ScoredSeriesWriter.Format, _ text: String) throws -> String {
            var decoder = SeriesDecoder()
            var writer = ScoredSeriesWriter(format)
            decoder.append(Array(text.utf8))
            decoder.finish()
            while let row = try decoder.next() { writer.write(row, score: row.number == 7 ? 0.25 : 0) }
            writer.finish()
            return String(decoding: writer.bytes, as: UTF8.self)
        }
        #expect(
            try written(.csv, text) == """
                timestamp,value,anomaly_score
                2026-01-01T00:00:00Z,1.50,0.0
                2026-01-02,+7,0.25
                2026-01-03,.5,0.0
                2026-01-04,nan,0.0
                2026-01-05,07,0.25

                """)
        #expect(
            try written(.ndjson, text) == """
                {"timestamp":"2026-01-01T00:00:00Z","value":1.50,"anomaly_score":0.0}
                {"timestamp":"2026-01-02","value":7.0,"anomaly_score":0.25}
                {"timestamp":"2026-01-03","value":0.5,"anomaly_score":0.0}
                {"timestamp":"2026-01-04","value":null,"anomaly_score":0.0}
                {"timestamp":"2026-01-05","value":7.0,"anomaly_score":0.25}

                """)
        let json = try JSONSerialization.jsonObject(with: Data(try written(.json, text).utf8)) as? [[String: Any]]
        #expect(json?.count == 5)
        #expect(try written(.json, "timestamp,value\n") == "[]\n")
    }
}
