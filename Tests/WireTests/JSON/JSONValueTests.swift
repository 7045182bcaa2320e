import Testing
import Wire

@Suite("JSON values")
struct JSONValueTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    /// What was expected, and where; nil for a text that is taken.
    private func fault(_ text: [UInt8], _ limits: JSONLimits = JSONLimits()) -> String? {
        do throws(JSONFault) {
            _ = try JSONValue(parsing: text, limits: limits)
            return nil
        } catch {
            return "\(error.offset): \(error.expected)"
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
        "what is no JSON says what was expected, and at which byte",
        arguments: [
            ("", "0: a value"), ("{", "1: a string"), ("[1,", "3: a value"), (#""abc"#, "4: the end of a string"),
            ("trux", "0: a value"), ("[1 2]", "3: a comma or a closing bracket"), ("{1:2}", "1: a string"),
            ("[1,]", "3: a value"), ("01", "1: the end of the text"), ("-a", "0: a value"), (#""\x""#, "2: an escape"),
            (#""\ud800""#, "0: a string of whole characters"), (#"{"\udc00":1}"#, "1: a name of whole characters"),
            (#"{"a":1,"a":2}"#, "7: every name once"), ("1 1", "2: the end of the text"), ("NaN", "0: a value"),
        ])
    func refused(text: String, expected: String) {
        #expect(fault(Array(text.utf8)) == expected)
    }

    @Test("no prefix of a text is a text, and none traps")
    func prefixes() {
        let text = Array(#"{"a":[1.5e-3,"\u00e9\ud83d\ude80é",true,null,{"b":{}}]}"#.utf8)
        for count in 0..<text.count { #expect(fault(Array(text[..<count])) != nil) }
    }

    @Test("strings must be UTF-8, depth and number of values have limits")
    func limits() {
        #expect(fault([0x22, 0xff, 0x22]) == "0: a string of whole characters")
        let limits = JSONLimits(depthMax: 2, valuesMax: 4)
        #expect(fault(Array("[[]]".utf8), limits) == nil)
        #expect(fault(Array("[[[]]]".utf8), limits) == "2: at most 2 levels")
        #expect(fault(Array("[1,2,3]".utf8), limits) == nil)
        #expect(fault(Array("[1,2,3,4]".utf8), limits) == "7: at most 4 values")
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
