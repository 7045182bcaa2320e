import Testing
import Wire

@Suite("JSON values")
struct JSONValueTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    private func code(_ text: [UInt8], _ limits: JSONLimits = JSONLimits()) -> JSONError.Code? {
        do throws(JSONError) {
            _ = try JSONValue(parsing: text, limits: limits)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(
        "what is read is written again, shortest",
        arguments: [
            ("null", "null"), (" true ", "true"), ("false", "false"), ("-0.10e+5", "-0.10e+5"), ("0", "0"),
            ("12345678901234567890.1", "12345678901234567890.1"), (#""""#, #""""#),
            (#" { "a" : [ 1 , { } , [ ] ] , "b":null } "#, #"{"a":[1,{},[]],"b":null}"#),
            (#""\u0041\u00e9\ud83d\ude80\/\b\f\n\r\t\\\"""#, "\"Aé🚀/\\u0008\\u000c\\n\\r\\t\\\\\\\"\""),
        ])
    func roundTrip(text: String, expected: String) throws {
        #expect(String(decoding: try parse(text).encoded, as: UTF8.self) == expected)
        #expect(try parse(expected) == parse(text))
    }

    @Test(
        "what is no JSON says why",
        arguments: [
            ("", .unexpectedEnd), ("{", .unexpectedEnd), ("[1,", .unexpectedEnd), (#""abc"#, .unexpectedEnd),
            ("tru", .unexpectedEnd), ("trux", .unexpectedByte), ("[1 2]", .unexpectedByte), ("{1:2}", .unexpectedByte),
            ("[1,]", .unexpectedByte), ("01", .invalidNumber), ("-", .unexpectedEnd), ("-a", .invalidNumber),
            ("1.", .invalidNumber), ("1e", .invalidNumber), ("+1", .unexpectedByte), (#""\x""#, .invalidEscape),
            (#""\ud800""#, .invalidEscape), (#""\udc00""#, .invalidEscape), (#""\ud800\u0041""#, .invalidEscape),
            ("\"a\nb\"", .controlCharacter), (#"{"a":1,"a":2}"#, .duplicateName), ("1 1", .trailingBytes),
            ("NaN", .unexpectedByte),
        ] as [(String, JSONError.Code)])
    func refused(text: String, expected: JSONError.Code) {
        #expect(code(Array(text.utf8)) == expected)
    }

    @Test("no prefix of a text is a text, and none traps")
    func prefixes() {
        let text = Array(#"{"a":[1.5e-3,"\u00e9\ud83d\ude80é",true,null,{"b":{}}]}"#.utf8)
        for count in 0..<text.count { #expect(code(Array(text[..<count])) != nil) }
    }

    @Test("strings must be UTF-8, depth and number of values have limits")
    func limits() {
        #expect(code([0x22, 0xff, 0x22]) == .invalidUTF8)
        let limits = JSONLimits(depthMax: 2, valuesMax: 4)
        #expect(code(Array("[[]]".utf8), limits) == nil)
        #expect(code(Array("[[[]]]".utf8), limits) == .tooDeep)
        #expect(code(Array("[1,2,3]".utf8), limits) == nil)
        #expect(code(Array("[1,2,3,4]".utf8), limits) == .tooManyValues)
    }

    @Test("members and numbers")
    func reading() throws {
        let value = try parse(#"{"n":12,"f":1.5,"big":1e999,"s":"x","t":true}"#)
        #expect(value["n"]?.integer == 12 && value["n"]?.double == 12)
        #expect(value["f"]?.integer == nil && value["f"]?.double == 1.5)
        #expect(value["big"]?.double == nil)
        #expect(value["s"]?.text == "x" && value["t"]?.truth == true && value["none"] == nil)
    }
}
