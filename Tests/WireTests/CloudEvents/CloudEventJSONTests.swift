import TestSupport
import Testing

@testable import Wire

/// Input as text, expected output as text.
@Suite("CloudEvents as JSON")
struct CloudEventJSONTests {
    static let start = #"{"specversion":"1.0","id":"1","source":"s","type":"t""#

    private static let notAName = "names of attributes consist of 1 to 64 lower-case letters and digits"
    private static let notAValue =
        "an extension attribute: expected a string, a whole number of 32 bits, true or false"

    /// In these texts a dollar sign at the beginning stands for the required attributes.
    private static func whole(_ text: String) -> String { text.hasPrefix("$") ? start + text.dropFirst() : text }

    private static func again(_ text: String) throws -> String {
        let text = whole(text)
        return String(decoding: CloudEventJSON.encode(try CloudEventJSON.event(Array(text.utf8))), as: UTF8.self)
    }

    private static func problem(_ text: String, limits: CloudEventLimits = CloudEventLimits()) -> String? {
        do throws(CloudEventError) {
            _ = try CloudEventJSON.event(Array(whole(text).utf8), limits: limits)
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        #"}"#,
        #","subject":"o","time":"2026-01-02T03:04:05.678+01:00","datacontenttype":"text/plain","data":"a\"b\n"}"#,
        #","datacontenttype":"application/vnd.x+json","data":{"a":[1,2.5e3,null,true,"\u00e9é"]}}"#,
        #","data":"text"}"#,
        #","data":0}"#,
        #","data_base64":"AAH/"}"#,
        #","datacontenttype":"application/octet-stream","data_base64":"YQ=="}"#,
        #","datacontenttype":"application/xml","data":"<a/>"}"#,
        #","ext1":"x","number":-5,"flag":true}"#,
    ])
    func comesBackAsItWas(_ rest: String) throws {
        #expect(try Self.again(Self.start + rest) == Self.start + rest)
    }

    @Test(arguments: [
        // Null is as if it were not there; blanks and order mean nothing.
        (#" { "type":"t", "subject":null , "data":null,"source":"s", "id":"1","specversion":"1.0" } "#, "}"),
        // JSON that is declared otherwise stays what it was, as text.
        (
            #"$,"datacontenttype":"text/plain","data":{"a":1}}"#,
            #","datacontenttype":"text/plain","data":"{\"a\":1}"}"#
        ),
        // A line break would end a line of an event stream.
        ("$,\"data\":{\n\"a\":1}}", #","data":{ "a":1}}"#),
        (#"$,"ext":"\ud83d\ude00"}"#, #","ext":"😀"}"#),
    ])
    func saysTheSameInOtherWords(_ text: String, _ rest: String) throws {
        #expect(try Self.again(text) == Self.start + rest)
    }

    @Test(arguments: [
        ("", "not JSON: expected a value at byte 0"),
        ("[]", "not JSON: expected an object at byte 0"),
        ("$", "not JSON: expected a closing bracket at byte 53"),
        ("$} x", "not JSON: expected the end of the text at byte 55"),
        (#"$,"a":01}"#, "not JSON: expected a comma or a closing bracket at byte 59"),
        (#"$,"id":"2"}"#, "not JSON: expected every name once at byte 0"),
        ("$,\"a\":\"\u{1}\"}", "not JSON: expected an escaped control character at byte 59"),
        (#"$,"data":{"a":nul}}"#, "not JSON: expected a value at byte 66"),
        (#"$,"a":"\u12"}"#, "not JSON: expected four hexadecimal digits at byte 60"),
        (#"{"id":"1","source":"s","type":"t"}"#, "specversion: expected 1.0"),
        (#"{"specversion":"0.3","id":"1","source":"s","type":"t"}"#, "specversion: expected 1.0"),
        (#"{"specversion":"1.0","source":"s","type":"t"}"#, "id is required and must not be empty"),
        (#"{"specversion":"1.0","id":"","source":"s","type":"t"}"#, "id is required and must not be empty"),
        (#"{"specversion":"1.0","id":1,"source":"s","type":"t"}"#, "id: expected a string"),
        (#"{"specversion":"1.0","id":"1","source":"a b","type":"t"}"#, "source: expected a URI"),
        (#"{"specversion":"1.0","id":"1","source":"%2","type":"t"}"#, "source: expected a URI"),
        (
            #"{"specversion":"1.0","id":"a\u0007","source":"s","type":"t"}"#,
            "id: expected text without control characters"
        ),
        (#"$,"time":"yesterday"}"#, "time: expected a time as in RFC 3339"),
        (#"$,"time":"2026-13-02T03:04:05Z"}"#, "time: expected a time as in RFC 3339"),
        (#"$,"time":"2026-01-02"}"#, "time: expected a time as in RFC 3339"),
        (#"$,"datacontenttype":"json"}"#, "datacontenttype: expected a media type"),
        (#"$,"Upper":"x"}"#, notAName),
        (#"$,"a_b":"x"}"#, notAName),
        (#"$,"ext":{}}"#, notAValue),
        (#"$,"ext":1.5}"#, notAValue),
        (#"$,"ext":2147483648}"#, notAValue),
        (#"$,"ext":"\ud83d"}"#, notAValue),
        (#"$,"data":1,"data_base64":"YQ=="}"#, "data and data_base64 exclude each other"),
        (#"$,"data_base64":"YQ="}"#, "data_base64: expected a string in Base64"),
        (#"$,"data_base64":"YR=="}"#, "data_base64: expected a string in Base64"),
        (#"$,"data_base64":7}"#, "data_base64: expected a string in Base64"),
    ])
    func saysWhatIsWrong(_ text: String, _ problem: String) {
        #expect(Self.problem(text) == problem)
    }

    @Test func bytesThatAreNoUTF8() {
        #expect(throws: CloudEventError(.malformedJSON(JSONFault(offset: 0, expected: "text in UTF-8")))) {
            try CloudEventJSON.event(Array(Self.start.utf8) + Array(#","a":""#.utf8) + [0xff] + Array("\"}".utf8))
        }
    }

    @Test func limits() {
        let limits = CloudEventLimits(attributesMax: 5, attributeBytesMax: 3, eventsMax: 2)
        #expect(Self.problem(Self.start + #","a":"xxx"}"#, limits: limits) == nil)
        #expect(Self.problem(Self.start + #","a":"1","b":"2"}"#, limits: limits) == "more than 5 attributes")
        #expect(
            Self.problem(Self.start + #","a":"xxxx"}"#, limits: limits)
                == "an extension attribute is longer than 3 bytes")
        let deep = String(repeating: "[", count: 70) + String(repeating: "]", count: 70)
        #expect(Self.problem(Self.start + #","data":\#(deep)}"#) == "not JSON: expected at most 64 levels at byte 124")
        let three = Array("[\(Self.start)},\(Self.start)},\(Self.start)}]".utf8)
        #expect(throws: CloudEventError(.tooManyEvents(limit: 2))) { try CloudEventJSON.batch(three, limits: limits) }
        #expect(throws: Never.self) { try CloudEventJSON.batch(three) }
    }

    @Test func aBatchNamesTheEventThatIsWrong() {
        do throws(CloudEventError) {
            _ = try CloudEventJSON.batch(Array("[\(Self.start)},{\"specversion\":\"1.0\"}]".utf8))
            Issue.record("taken")
        } catch {
            #expect(error.description == "event 1 of the batch: id is required and must not be empty")
        }
    }

    /// Whatever the bytes, there is an answer; what is taken says the same when it is written and read again.
    @Test func randomBytes() throws {
        var generator = SeededGenerator(seed: 20)
        let rest = #","time":"2026-01-02T03:04:05Z","n":-5,"data":{"a":["\u00e9\n",1e5,null]}}"#
        let seed = Array((Self.start + rest).utf8)
        var taken = 0
        for _ in 0..<20_000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(#"{}[]",:\0e-"#.utf8.randomElement(using: &generator) ?? 0, at: place)
                default: bytes.removeSubrange(place...)
                }
                if bytes.isEmpty { bytes = [0x7b] }
            }
            guard let event = try? CloudEventJSON.event(bytes) else { continue }
            taken += 1
            #expect(try CloudEventJSON.event(CloudEventJSON.encode(event)) == event)
        }
        #expect(taken > 200)
    }
}
