import Testing
import Wire

@Suite("Percent-encoding")
struct PercentEncodingTests {
    @Test(
        "what a text stands for",
        arguments: [
            ("orders", "orders"), ("a%20b", "a b"), ("%2Fx%2fy", "/x/y"), ("", ""), ("a+b", "a+b"), ("%25", "%"),
        ])
    func decodes(text: String, expected: String) {
        #expect(PercentEncoding.decode(text) == Array(expected.utf8))
    }

    @Test("bytes need not be UTF-8")
    func bytes() {
        #expect(PercentEncoding.decode("%ff%00") == [0xff, 0])
    }

    @Test("a sign without two digits is nothing", arguments: ["%", "%4", "a%", "%g0", "%0g", "%-1"])
    func refuses(text: String) {
        #expect(PercentEncoding.decode(text) == nil)
    }

    @Test(
        "what is encoded, and what stays", arguments: [("a b", "a%20b"), ("-._~Az9", "-._~Az9"), ("ü/", "%C3%BC%2F")])
    func encodes(text: String, expected: String) {
        #expect(PercentEncoding.encode(text.utf8) == expected)
        #expect(PercentEncoding.decode(expected) == Array(text.utf8))
    }

    @Test("a place may allow one character more")
    func keeps() {
        #expect(PercentEncoding.encode("a:b/c".utf8, keeping: UInt8(ascii: ":")) == "a:b%2Fc")
    }
}
