import Testing

@testable import Wire

@Suite("CloudEvents in HTTP messages")
struct CloudEventHTTPTests {
    private static let required = [
        (name: "ce-specversion", value: "1.0"), (name: "ce-id", value: "1"), (name: "ce-source", value: "/s"),
        (name: "ce-type", value: "t"),
    ]

    private static func problem(_ headers: [(name: String, value: String)], contentType: String? = nil) -> String? {
        do throws(CloudEventError) {
            _ = try CloudEventHTTP.event(headers: headers, contentType: contentType, body: [])
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        (nil, false, CloudEventHTTP.Mode.plain), (nil, true, .binary), ("application/json", false, .plain),
        ("application/json", true, .binary), ("application/cloudevents+json", true, .structured),
        ("Application/CloudEvents+JSON ; charset=utf-8", false, .structured),
        ("application/cloudevents-batch+json", false, .batch),
    ])
    func modes(_ type: String?, _ hasAttributes: Bool, _ mode: CloudEventHTTP.Mode) throws {
        #expect(try CloudEventHTTP.mode(contentType: type, hasAttributes: hasAttributes) == mode)
    }

    @Test(arguments: ["application/cloudevents+avro", "application/cloudevents-batch+xml", "application/cloudevents"])
    func otherFormatsAreRefused(_ type: String) {
        #expect(throws: CloudEventError(.unsupportedFormat)) {
            try CloudEventHTTP.mode(contentType: type, hasAttributes: false)
        }
    }

    @Test func aMessageInBinaryModeComesBackAsItWas() throws {
        let headers =
            Self.required + [
                (name: "ce-subject", value: "Euro%20%E2%82%AC%20%F0%9F%98%80"), (name: "ce-ext1", value: "a%25b%22"),
                (name: "content-type", value: "text/plain; charset=utf-8"),
            ]
        let event = try CloudEventHTTP.event(
            headers: headers, contentType: "text/plain; charset=utf-8", body: [0, 1])
        #expect(event.subject == "Euro € 😀")
        #expect(event[attribute: "ext1"] == "a%b\"")
        #expect(event.data == [0, 1])
        #expect(CloudEventHTTP.headers(of: event).map { "\($0): \($1)" } == headers.map { "\($0): \($1)" })
    }

    @Test(arguments: [
        ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), (#""a b""#, "a b"), (#""a\"b""#, #"a"b"#), (#"""#, #"""#),
    ])
    func valuesOfHeaders(_ value: String, _ text: String) {
        #expect(CloudEventHTTP.decoded(value) == text)
    }

    @Test func whatIsWrong() {
        #expect(Self.problem(Array(Self.required.dropFirst())) == "specversion: expected 1.0")
        #expect(Self.problem(Array(Self.required.dropLast())) == "type is required and must not be empty")
        #expect(Self.problem(Self.required + [("ce-id", "2")]) == "id is there twice")
        #expect(
            Self.problem(Self.required + [("ce-subject", "%ff")]) == "subject: expected text in UTF-8, percent-encoded")
        #expect(Self.problem(Self.required + [("ce-datacontenttype", "a/b")]) == "datacontenttype is there twice")
        #expect(Self.problem(Self.required, contentType: "x") == "datacontenttype: expected a media type")
        #expect(
            Self.problem(Self.required + [("ce-a-b", "1")])
                == "names of attributes consist of 1 to 64 lower-case letters and digits")
    }
}
