import Testing
import Wire

@Suite("NATS decoder")
struct NATSDecoderTests {
    private func lines(_ text: String, _ role: NATSDecoder.Role = .client) -> [String] {
        NATSTranscript.lines(Array(text.utf8), role)
    }

    private func error(_ text: String, _ role: NATSDecoder.Role = .client, _ limits: NATSLimits = NATSLimits())
        -> NATSError?
    { NATSTranscript([Array(text.utf8)[...]], role, limits: limits).error }

    @Test("what clients may write: any case, blanks and tabs, LF alone")
    func lenient() {
        #expect(lines("pub a 2\r\nhi\r\n") == ["pub 13 subject a headers 0 body 2 hi"])
        #expect(lines("Pub\t a \t r\t 2 \nhi\r\n") == ["pub 19 subject a reply r headers 0 body 2 hi"])
        #expect(lines("sub a 1\nSUB a q 2\r\n") == ["sub 8 subject a sid 1", "sub 11 subject a queue q sid 2"])
        #expect(
            lines("unsub 1 \r\nUNSUB x 5\r\n") == [
                "unsub 10 sid 1 max 0", "unsub 11 sid x max 5",
            ])
        #expect(lines("ping\r\nPONG nonsense\r\n") == ["ping 6", "pong 15"])
        #expect(lines("CONNECT  {\"a\": 1}  \r\n") == ["connect 21 {\"a\": 1}"])
        #expect(lines("CONNECT\r\n") == ["connect 9"])
    }

    @Test("what servers write")
    func server() {
        #expect(lines("+OK\r\n-ERR 'No'\r\n", .server) == ["ok 5", "error 11 'No'"])
        #expect(lines("MSG a 1 0\r\n\r\n", .server) == ["msg 13 subject a sid 1 headers 0 body 0"])
        #expect(
            lines("HMSG a 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", .server)
                == ["hmsg 34 subject a sid 1 reply r headers 12 body 2 hi"])
    }

    @Test("a payload passes by: the line is known before it, and nothing of it is looked at")
    func streams() throws {
        var decoder = NATSDecoder(role: .client)
        var position = 0
        let line = Array("PUB a 1000000\r\n".utf8)
        guard case .line(let operation) = try decoder.next(in: line.span, at: &position) else {
            Issue.record("no line")
            return
        }
        #expect(operation.payloadLength == 1_000_000)
        for _ in 0..<100 {
            position = 0
            let chunk = [UInt8](repeating: 0x0A, count: 10_000)
            #expect(try decoder.next(in: chunk.span, at: &position) == .needsMore)
        }
        position = 0
        let end = Array("\r\n".utf8)
        #expect(try decoder.next(in: end.span, at: &position) == .ended(operation))
    }

    @Test("the header block is told of before the body")
    func headersFirst() throws {
        var decoder = NATSDecoder(role: .client)
        var position = 0
        let bytes = Array("HPUB a 18 20\r\nNATS/1.0\r\nA: 1\r\n\r\n".utf8)
        let line = try decoder.next(in: bytes.span, at: &position)
        guard case .line(let operation) = line, case .headers = try decoder.next(in: bytes.span, at: &position) else {
            Issue.record("no headers: \(line)")
            return
        }
        #expect(operation.headers == 14..<32 && operation.body == 32..<34)
    }

    @Test(
        "what is no protocol",
        arguments: [
            ("GET / HTTP/1.1\r\n", NATSError.unknownVerb), ("MSG a 1 0\r\n", .unknownVerb),
            ("PUBLISHING a 1\r\n", .unknownVerb), ("\u{16}", .unknownVerb), ("P\u{0}", .unknownVerb),
            ("\r\n", .unknownVerb), (" PUB a 1\r\n", .unknownVerb),
            ("PUB\r\n", .malformedLine), ("PUB a\r\n", .malformedLine), ("PUB a b c d 1\r\n", .malformedLine),
            ("PUB a b c d e f 1\r\n", .malformedLine), ("SUB a\r\n", .malformedLine), ("UNSUB\r\n", .malformedLine),
            ("PUB a x\r\n", .malformedSize), ("PUB a -1\r\n", .malformedSize), ("PUB a 1x\r\n", .malformedSize),
            ("HPUB a 5 4\r\n", .malformedSize), ("HPUB a 4\r\n", .malformedLine), ("PUB a 1\rx", .malformedLineEnd),
            ("PUB a 1\r\r\n", .malformedLineEnd), ("PUB a 1\r\nxx", .malformedLineEnd),
            ("PUB a 1\r\nx\rx", .malformedLineEnd), ("PUB a 99999999999999999999999999\r\n", .payloadTooLong),
            ("HPUB a 99999999999999999999999999 1\r\n", .malformedSize),
        ])
    func malformed(text: String, expected: NATSError) {
        #expect(error(text) == expected)
    }

    @Test("limits are met where they are passed, before the rest has come")
    func limits() {
        var limits = NATSLimits()
        limits.lineBytesMax = 10
        limits.payloadBytesMax = 5
        #expect(error("PUB a 5\r\n12345\r\n", .client, limits) == nil)
        #expect(error("PUB a 6\r\n", .client, limits) == .payloadTooLong)
        #expect(error("PUB abcdef", .client, limits) == nil)
        #expect(error("PUB abcdefg", .client, limits) == .lineTooLong)
        #expect(error("PING\r\nPUB a 1\r\nx\r\nPUB abcdefg", .client, limits) == .lineTooLong)
    }

    @Test("a header block: status, repeated names, empty values, what is no header passes by")
    func headers() {
        let block = Array("NATS/1.0 503 No Responders\r\nA: 1\r\na:two \r\nA: 3\r\nrubbish\r\n: x\r\nE:\r\n\r\n".utf8)
        guard var headers = NATSHeaders(block.span, in: 0..<block.count) else {
            Issue.record("no header block")
            return
        }
        #expect(headers.status == 503)
        #expect(String(decoding: block[headers.statusText], as: UTF8.self) == "No Responders")
        var found: [String] = []
        while let line = headers.nextLine(block.span) {
            let name = String(decoding: block[line.name], as: UTF8.self)
            found.append("\(name)=\(String(decoding: block[line.value], as: UTF8.self))")
        }
        #expect(found == ["A=1", "a=two", "A=3", "E="])
        let place = NATSHeaders.endOfLines(block.span, in: 0..<block.count)
        #expect(place == block.count - 2)
        for text in ["HTTP/1.0\r\n\r\n", "NATS/1.0", "", "NATS/1.0\r"] {
            let bytes = Array(text.utf8)
            let isBlock = NATSHeaders(bytes.span, in: 0..<bytes.count) != nil
            #expect(!isBlock)
        }
    }

    @Test("an error of ours stays one line")
    func errorText() {
        #expect(String(decoding: NATSWriter.error("a 'b'\r\nc"), as: UTF8.self) == "-ERR 'a  b   c'\r\n")
        var digits: [UInt8] = []
        for number in [0, 9, 10, 18_446_744_073_709_551_615] as [UInt64] { NATSWriter.append(number, to: &digits) }
        #expect(String(decoding: digits, as: UTF8.self) == "091018446744073709551615")
    }
}

@Suite("JSON members")
struct JSONMembersTests {
    private func members(_ text: String) -> (found: [String], isComplete: Bool) {
        let bytes = Array(text.utf8)
        guard var members = JSONMembers(bytes.span, in: 0..<bytes.count) else { return (["none"], false) }
        var found: [String] = []
        while let member = members.next(bytes.span) {
            found.append(
                String(decoding: bytes[member.key], as: UTF8.self) + "="
                    + String(decoding: bytes[member.value], as: UTF8.self))
        }
        return (found, members.isComplete)
    }

    @Test("members of the object itself, whatever is inside of them")
    func found() {
        #expect(members("{}").found == [] && members(" { } ").isComplete)
        let text = #" {"a" : 1, "b":"x\"},{", "c":{"a":[1,{"}":2}]},"d":[],"e":null , "f":true}"#
        #expect(
            members(text).found
                == ["a=1", #"b="x\"},{""#, #"c={"a":[1,{"}":2}]}"#, "d=[]", "e=null", "f=true"])
        #expect(members(text).isComplete)
    }

    @Test(
        "what is no object ends without completion, and never traps",
        arguments: [
            "", "[]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":}", "{\"a\" 1}", "{a:1}", "{\"a\":1 \"b\":2}",
            "{\"a\":[1}}", "{\"a\":\"", "{\"a\":\"\\", "{\"a\":1},", "{\"a\":1}x",
        ])
    func broken(text: String) {
        #expect(!members(text).isComplete)
    }
}
