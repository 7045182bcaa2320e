import Testing
import Wire

@Suite("Event filters")
struct EventFilterTests {
    private static let event = [
        "type": "com.example.order.paid", "source": "/shop/7", "subject": "order-12", "region": "eu",
    ]

    private func filter(_ text: String) throws -> EventFilter { try EventFilter(parsing: Array(text.utf8)) }

    @Test(
        "an order of a shop, and what matches it",
        arguments: [
            (#"{"exact":{"type":"com.example.order.paid"}}"#, true),
            (#"{"exact":{"type":"com.example.order.paid","region":"us"}}"#, false),
            (#"{"exact":{"type":"com.example.order.Paid"}}"#, false),
            (#"{"prefix":{"type":"com.example.","source":"/shop"}}"#, true),
            (#"{"prefix":{"type":"com.example.order.paid.late"}}"#, false),
            (#"{"suffix":{"subject":"-12"}}"#, true), (#"{"suffix":{"subject":"-1"}}"#, false),
            (#"{"exact":{"missing":"x"}}"#, false), (#"{"not":{"exact":{"missing":"x"}}}"#, true),
            (#"{"all":[{"prefix":{"type":"com."}},{"not":{"exact":{"region":"us"}}}]}"#, true),
            (#"{"any":[{"exact":{"region":"us"}},{"suffix":{"type":".paid"}}]}"#, true),
            (#"{"any":[{"exact":{"region":"us"}},{"exact":{"region":"asia"}}]}"#, false),
            // As the API's `filters`: all of them.
            (#"[{"exact":{"region":"eu"}},{"prefix":{"source":"/shop"}}]"#, true),
            (#"[{"exact":{"region":"eu"}},{"prefix":{"source":"/depot"}}]"#, false),
        ])
    func matching(text: String, expected: Bool) throws {
        #expect(try filter(text).matches { Self.event[$0] } == expected)
    }

    @Test("texts are compared byte for byte: composed and decomposed letters differ")
    func bytes() throws {
        let composed = try filter(#"{"exact":{"subject":"\u00e9"}}"#)
        #expect(composed.matches { _ in "\u{e9}" })
        #expect(!composed.matches { _ in "e\u{301}" })
    }

    @Test(
        "what is no filter says what one is",
        arguments: [
            ("{}", .notOneDialect), ("1", .notOneDialect), (#"{"exact":{"a":"b"},"not":{}}"#, .notOneDialect),
            (#"{"sql":"type = 'x'"}"#, .unknownDialect), (#"{"exact":{}}"#, .noAttributes),
            (#"{"exact":"x"}"#, .noAttributes), (#"{"exact":{"type":1}}"#, .badAttribute),
            (#"{"exact":{"type":""}}"#, .badAttribute), (#"{"exact":{"Type":"x"}}"#, .badAttribute),
            (#"{"exact":{"":"x"}}"#, .badAttribute), (#"{"all":[]}"#, .noFilters), (#"{"any":{}}"#, .noFilters),
            ("[]", .noFilters), (#"{"not":[]}"#, .notOneDialect),
        ] as [(String, EventFilterError)])
    func refused(text: String, expected: EventFilterError) {
        #expect(throws: expected) { try filter(text) }
    }

    @Test("at the limits, and one beyond")
    func limits() throws {
        func nested(_ levels: Int) -> String {
            String(repeating: #"{"not":"#, count: levels) + #"{"exact":{"a":"b"}}"#
                + String(repeating: "}", count: levels)
        }
        _ = try filter(nested(EventFilter.depthMax))
        #expect(throws: EventFilterError.tooDeep) { try filter(nested(EventFilter.depthMax + 1)) }
        #expect(throws: EventFilterError.self) {
            try filter(nested(10_000))
        }
        func wide(_ count: Int) -> String {
            #"{"any":["# + Array(repeating: #"{"exact":{"a":"b"}}"#, count: count).joined(separator: ",") + "]}"
        }
        _ = try filter(wide(EventFilter.comparisonsMax))
        #expect(throws: EventFilterError.tooLarge) { try filter(wide(EventFilter.comparisonsMax + 1)) }
        #expect(throws: EventFilterError.self) { try filter(wide(5_000)) }
        func long(_ count: Int) -> String { #"{"exact":{"a":""# + String(repeating: "x", count: count) + #""}}"# }
        _ = try filter(long(EventFilter.textBytesMax))
        #expect(throws: EventFilterError.tooLarge) { try filter(long(EventFilter.textBytesMax + 1)) }
    }

    @Test("a filter is written as it is read")
    func writing() throws {
        let text = #"{"all":[{"any":[{"exact":{"a":"b"}},{"prefix":{"c":"d"}}]},{"not":{"suffix":{"e":"f"}}}]}"#
        #expect(String(decoding: try filter(text).json.encoded, as: UTF8.self) == text)
    }
}
