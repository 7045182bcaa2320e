import Testing
import Wire

@Suite("reading held bytes")
struct RESPReaderTests {
    /// Reads amid other bytes, as in a frame.
    private func held<Value>(_ text: String, _ read: (Span<UInt8>, Range<Int>) -> Value) -> Value {
        let bytes = Array("9\(text)9".utf8)
        return read(bytes.span, 1..<bytes.count - 1)
    }

    @Test("words are compared without regard to case")
    func words() {
        #expect(held("XADD") { RESPText.matches($0, in: $1, "xadd") })
        #expect(held("xAdD") { RESPText.matches($0, in: $1, Array("XADD".utf8)) })
        #expect(held("") { RESPText.matches($0, in: $1, "") })
        #expect(!held("XADD") { RESPText.matches($0, in: $1, "XAD") })
        #expect(!held("XADE") { RESPText.matches($0, in: $1, "XADD") })
        // Pairs that differ in the case bit alone but are no letters.
        #expect(!held("@[") { RESPText.matches($0, in: $1, "`{") })
    }

    @Test(
        "numbers have one spelling",
        arguments: [
            ("0", 0), ("7", 7), ("-1", -1), ("9223372036854775807", .max), ("-9223372036854775808", .min),
            ("9223372036854775808", nil), ("-9223372036854775809", nil), ("99999999999999999999", nil),
            ("", nil), ("-", nil), ("+1", nil), ("01", nil), ("-0", nil), ("-01", nil), ("1 ", nil), ("1a", nil),
            ("--1", nil),
        ] as [(String, Int?)])
    func integers(text: String, expected: Int?) {
        #expect(held(text) { RESPText.integer($0, in: $1) } == expected)
    }

    @Test(
        "entry ids",
        arguments: [
            ("1700000000000-3", [1_700_000_000_000, 3]), ("5", [5, 77]), ("0-0", [0, 0]),
            ("18446744073709551615-18446744073709551615", [.max, .max]), ("18446744073709551616-0", nil),
            ("*", nil), ("$", nil), (">", nil), ("-", nil), ("+", nil), ("5-*", nil), ("5-", nil), ("-5", nil),
            ("1-2-3", nil),
            ("", nil), ("1.5-0", nil),
        ] as [(String, [UInt64]?)])
    func entryIDs(text: String, expected: [UInt64]?) {
        let id = held(text) { RESPText.entryID($0, in: $1, missingSequence: 77) }
        #expect(id.map { [$0.milliseconds, $0.sequence] } == expected)
    }

    @Test(
        "inline commands split by Redis's quoting rules",
        arguments: [
            ("PING", ["PING"]), ("  GET \t key  ", ["GET", "key"]), ("", []), ("  ", []),
            (#"SET k "two words""#, ["SET", "k", "two words"]), (#"a "" ''"#, ["a", "", ""]),
            (#""\x41\x4a\x4A\n\r\t\b\a\"\\\q""#, ["AJJ\n\r\t\u{8}\u{7}\"\\q"]), (#""\xZZ\x4""#, ["xZZx4"]),
            (#"'it\'s \n "so"'"#, [#"it's \n "so""#]), (#"pre"fix ed" x"#, ["prefix ed", "x"]),
            ("a\u{B}b \u{B}c", ["a\u{B}b", "c"]), (#"a\ b"#, ["a\\", "b"]), (#"a'b'"#, ["ab"]),
            (#""open"#, nil), ("'open", nil), (#""a"b"#, nil), ("'a'b", nil), (#""a\""#, nil), (#"'a\'"#, nil),
            (#""\"#, nil),
            (#""\x"#, nil), ("a\u{0}b", nil),
        ] as [(String, [String]?)])
    func inlineWords(line: String, expected: [String]?) {
        let words = InlineWords.split(Array(line.utf8).span)
        #expect(words?.map { String(decoding: $0, as: UTF8.self) } == expected)
    }

    @Test("every escaped byte value")
    func hexEscapes() {
        for byte in UInt8.min...UInt8.max {
            let digits = String(byte, radix: 16)
            let line = "\"\\x" + (byte < 16 ? "0" : "") + digits + "\""
            #expect(InlineWords.split(Array(line.utf8).span) == [[byte]])
        }
    }

    @Test("what the writer appends, the decoder reads")
    func writer() {
        var bytes: [UInt8] = []
        RESPWriter.appendHeader(type: UInt8(ascii: "*"), count: 3, to: &bytes)
        RESPWriter.appendBulk("traceparent".utf8, to: &bytes)
        RESPWriter.appendBulk([], to: &bytes)
        RESPWriter.appendHeader(type: UInt8(ascii: ":"), count: .min, to: &bytes)
        bytes += RESPWriter.error("ERR two\r\nlines")
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "*3\r\n$11\r\ntraceparent\r\n$0\r\n\r\n:-9223372036854775808\r\n-ERR two  lines\r\n")
        #expect(RESPTranscript(bytes, .replies).tokens.filter(\.endsFrame).count == 2)
    }
}
