import Testing

@testable import Wire

@Suite("Base64")
struct Base64Tests {
    /// The examples of RFC 4648, section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func examples(_ plain: String, _ encoded: String) {
        var text: [UInt8] = []
        Base64.append(Array(plain.utf8), to: &text)
        #expect(String(decoding: text, as: UTF8.self) == encoded)
        #expect(Base64.decode(encoded.utf8) == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zg=", "Zg", "Z===", "Zh==", "Zm9=", "Zm=v", "Zm-v", "====", "Zg==Zg=="])
    func refused(_ text: String) {
        #expect(Base64.decode(text.utf8) == nil)
    }
}
