import Testing
import Wire

@testable import EventLog

@Suite("Definitions of projections")
struct ProjectionDefinitionTests {
    static func definition(_ text: String) throws -> ProjectionDefinition {
        try ProjectionDefinition(parsing: Array(text.utf8))
    }

    static let whole = """
        {"stream":"orders","key":{"data":"/customer"},"filter":{"prefix":{"type":"order."}},\
        "delete":{"exact":{"type":"order.forgotten"}},"columns":{"orders":{"fold":"count"},\
        "paid":{"fold":"sum","of":{"data":"/amount"},"where":{"exact":{"type":"order.paid"}}},\
        "note":{"fold":"last","of":{"field":"note"}},"by":{"fold":"first","of":{"attribute":"source"}}}}
        """

    @Test("a definition is written as it is read")
    func roundTrip() throws {
        #expect(String(decoding: try Self.definition(Self.whole).json.encoded, as: UTF8.self) == Self.whole)
    }

    @Test(
        "what is no definition is refused with what was expected",
        arguments: [
            ("[]", "a projection is an object"), (#"{"columns":{}}"#, "stream: the name"),
            (#"{"stream":"","columns":{"n":{"fold":"count"}}}"#, "stream: the name"),
            (#"{"stream":"s","columns":{}}"#, "columns: an object with 1 to 32"),
            (#"{"stream":"s","colums":{}}"#, "a projection is an object with the members"),
            (#"{"stream":"s","columns":{"a b":{"fold":"count"}}}"#, "the name of a column"),
            (#"{"stream":"s","columns":{"n":{"fold":"average"}}}"#, "fold: one of count, sum"),
            (#"{"stream":"s","columns":{"n":{"fold":"sum"}}}"#, "of: every fold but count"),
            (#"{"stream":"s","columns":{"n":{"fold":"sum","of":{"data":"amount"}}}}"#, "data: a JSON pointer"),
            (#"{"stream":"s","columns":{"n":{"fold":"sum","of":{"data":"/a~2"}}}}"#, "data: a JSON pointer"),
            (#"{"stream":"s","columns":{"n":{"fold":"sum","of":{"attribute":""}}}}"#, "a value is found by"),
            (#"{"stream":"s","columns":{"n":{"fold":"sum","of":{"header":"x"}}}}"#, "a value is found by"),
            (#"{"stream":"s","filter":{"sql":"x"},"columns":{"n":{"fold":"count"}}}"#, "unknown filter dialect"),
            (#"{"stream":"s""#, "a projection is a JSON object: expected a comma or a closing bracket at byte 13"),
        ])
    func refused(text: String, expected: String) {
        do throws(ProjectionProblem) {
            _ = try ProjectionDefinition(parsing: Array(text.utf8))
            Issue.record("taken")
        } catch {
            #expect(error.description.hasPrefix(expected))
        }
    }

    private func effect(_ definition: String, _ pairs: (String, String)...) throws -> ProjectionEffect {
        var fields = EventFields()
        for (name, value) in pairs { fields.append(name: name.utf8, value: value.utf8) }
        return try Self.definition(definition).effect(of: fields)
    }

    @Test("key, filter, deletion and conditions decide what an event means")
    func effects() throws {
        #expect(
            try effect(Self.whole, ("ce_type", "order.paid"), ("data", #"{"customer":7,"amount":"2.50"}"#))
                == .change(key: "7", values: [(0, 1), (1, "2.50")]))
        #expect(
            try effect(
                Self.whole, ("ce_type", "order.placed"), ("ce_source", "/shop"), ("note", "gift"),
                ("data", #"{"customer":"ann"}"#))
                == .change(key: "ann", values: [(0, 1), (2, "gift"), (3, "/shop")]))
        #expect(
            try effect(Self.whole, ("ce_type", "order.forgotten"), ("data", #"{"customer":"ann"}"#))
                == .deletion(key: "ann"))
        #expect(try effect(Self.whole, ("ce_type", "cart.opened"), ("data", #"{"customer":"ann"}"#)) == .skipped)
        #expect(try effect(Self.whole, ("ce_type", "order.paid"), ("data", "no JSON")) == .unusable)
        #expect(try effect(Self.whole, ("ce_type", "order.paid"), ("data", #"{"customer":{"id":1}}"#)) == .unusable)
        let long = String(repeating: "x", count: ProjectionDefinition.keyBytesMax + 1)
        #expect(try effect(Self.whole, ("ce_type", "order.paid"), ("data", #"{"customer":"\#(long)"}"#)) == .unusable)
    }

    @Test("without a key all events share one row, and plain fields can be folded")
    func oneRow() throws {
        let text = #"{"stream":"s","columns":{"t":{"fold":"max","of":{"field":"temperature"}}}}"#
        #expect(try effect(text, ("temperature", "21.5")) == .change(key: "", values: [(0, "21.5")]))
        #expect(try effect(text, ("humidity", "40")) == .change(key: "", values: []))
    }

    @Test(
        "a pointer leads to a value, or nowhere",
        arguments: [
            ("/a/b", "1"), ("/list/1", "\"y\""), ("/m~1n/o~0p", "true"), ("", nil), ("/list/01", nil), ("/list/2", nil),
            ("/list/-", nil), ("/a/b/c", nil), ("/none", nil), ("/empty", nil),
        ] as [(String, String?)])
    func pointers(pointer: String, expected: String?) throws {
        var event = ProjectedEvent(
            fields(("data", #"{"a":{"b":1},"list":["x","y"],"m/n":{"o~p":true},"empty":null}"#)))
        let found = event.scalar(.data(pointer)).map { String(decoding: $0.encoded, as: UTF8.self) }
        #expect(found == expected)
    }

    @Test(
        "folds, value by value",
        arguments: [
            (.count, [1, 1, 1], "3", 0), (.sum, [2, "3", .number("-1")], "4", 0),
            (.sum, [.number("0.5"), 1], "1.5", 0),
            (.sum, [.number("9223372036854775807"), 1], "9.223372036854776e+18", 0),
            (.sum, [1, "many", true, "0x10", "inf"], "1", 4), (.sum, [.number("1e308"), .number("1e308")], "1e308", 1),
            (.min, [3, "2", 10], "\"2\"", 0), (.max, [3, "2", 10], "10", 0), (.max, ["b", "a", 9], "\"b\"", 0),
            (.min, ["b", "a", 9], "9", 0),
            (.max, [.number("9007199254740993"), .number("9007199254740992")], "9007199254740993", 0),
            (.first, ["x", "y"], "\"x\"", 0), (.last, ["x", "y"], "\"y\"", 0), (.last, [true], "true", 0),
        ] as [(ProjectionFold, [JSONValue], String, Int)])
    func folds(fold: ProjectionFold, values: [JSONValue], expected: String, unusable: Int) {
        let definition = ProjectionDefinition(
            stream: "s", columns: [.init("n", fold, of: .field("x"), where: nil)])
        var row = definition.emptyRow
        var refused = 0
        for value in values { refused += definition.fold([(0, value)], into: &row) }
        // What floating point prints for 1e308 is its own way of writing it.
        #expect(
            row[0].double == JSONValue.number(expected).double
                || String(decoding: row[0].encoded, as: UTF8.self) == expected)
        #expect(refused == unusable)
    }

    @Test("long texts are cut at a character")
    func cutting() {
        let definition = ProjectionDefinition(
            stream: "s", columns: [.init("n", .last, of: .field("x"), where: nil)])
        var row = definition.emptyRow
        _ = definition.fold([(0, .string(String(repeating: "x", count: 4_095) + "é"))], into: &row)
        #expect(row[0].text?.utf8.count == 4_095)
    }
}
