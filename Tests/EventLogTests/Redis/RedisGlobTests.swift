import Testing

@testable import EventLog

@Suite("Patterns of names")
struct RedisGlobTests {
    @Test(
        "as in Redis",
        arguments: [
            ("*", "", true), ("*", "anything", true), ("a*c", "abbbc", true), ("a*c", "abbbd", false),
            ("h?llo", "hello", true), ("h?llo", "hllo", false), ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false), ("h[a-b]llo", "hbllo", true), ("h[b-a]llo", "hallo", true),
            ("\\*", "*", true), ("\\*", "x", false), ("a**b", "axxb", true), ("[", "x", false), ("[a", "a", true),
            ("", "", true), ("", "a", false), ("*a*b*c", "xaybzc", true),
        ])
    func matches(pattern: String, name: String, expected: Bool) {
        #expect(RedisGlob.matches([UInt8](pattern), [UInt8](name)) == expected)
    }

    @Test("many stars on a long name that does not fit end soon")
    func hostile() {
        let pattern = [UInt8](String(repeating: "*a", count: 60) + "b")
        #expect(!RedisGlob.matches(pattern, [UInt8](repeating: UInt8(ascii: "a"), count: 5_000)))
    }
}

@Suite("The fields of an event")
struct EventFieldsTests {
    @Test("come back as they were put in, whatever their length")
    func roundTrip() throws {
        var written = EventFields()
        for length in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            written.append(name: "n\(length)".utf8, value: [UInt8](repeating: 7, count: length))
        }
        let read = try #require(EventFields(encoded: written.encoded))
        #expect(read == written && read.count == 7)
        #expect(read.pairs.map(\.value.count) == [0, 1, 127, 128, 16_383, 16_384, 70_000])
    }

    @Test("of two with one name, the last counts")
    func repeated() {
        let both = fields(("a", "1"), ("b", "x"), ("a", "2"))
        #expect(both.value(of: "a".utf8).map { Array($0) } == [UInt8]("2"))
        #expect(both.value(of: "c".utf8) == nil)
    }

    @Test("bytes that are not whole pairs are refused")
    func refused() {
        let whole = fields(("name", "value")).encoded
        for count in 1..<whole.count { #expect(EventFields(encoded: Array(whole[..<count])) == nil) }
        #expect(EventFields(encoded: [UInt8](repeating: 0xFF, count: 20)) == nil)
    }
}
