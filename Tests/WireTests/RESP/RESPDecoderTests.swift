import Testing
import Wire

@Suite("RESP decoder")
struct RESPDecoderTests {
    @Test(
        "each scalar of a reply",
        arguments: [
            ("+OK\r\n", "simpleString 2 OK"), ("+\r\n", "simpleString 0"), ("-ERR no\r\n", "error 6 ERR no"),
            (":0\r\n", "integer 1 0"), (":-42\r\n", "integer 3 -42"), (":+7\r\n", "integer 2 +7"),
            ("$3\r\nf\r\n\r\n", "bulkString 3 f\\x0D\\x0A"), ("$0\r\n\r\n", "bulkString 0"),
            ("$-1\r\n", "bulkString -1"),
            ("_\r\n", "null 0"), (",3.14\r\n", "double 4 3.14"), (",-inf\r\n", "double 4 -inf"),
            (",1e-9\r\n", "double 4 1e-9"), ("#t\r\n", "boolean 1 t"), ("(123456789012345678901\r\n", nil),
            ("!5\r\nERR x\r\n", "bulkError 5 ERR x"), ("=8\r\ntxt:Some\r\n", "verbatimString 8 txt:Some"),
        ] as [(String, String?)])
    func scalars(text: String, expected: String?) {
        let line = expected ?? "bigNumber 21 123456789012345678901"
        #expect(RESPTranscript(text, .replies).lines == ["frame \(text.utf8.count)", line])
    }

    @Test(
        "aggregates without elements are whole frames",
        arguments: [
            ("*0\r\n", "array 0"), ("*-1\r\n", "array -1"), ("%0\r\n", "map 0"), ("~0\r\n", "set 0"),
            (">0\r\n", "push 0"),
        ])
    func emptyAggregates(text: String, expected: String) {
        #expect(RESPTranscript(text, .replies).lines == ["frame \(text.utf8.count)", expected])
    }

    @Test("a map announces pairs, and its frame ends with the last value")
    func map() {
        #expect(
            RESPTranscript("%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n#f\r\n:9\r\n", .replies).lines == [
                "frame 24", "map 2", "  simpleString 1 a", "  integer 1 1", "  simpleString 1 b", "  set 1",
                "    boolean 1 f", "frame 4", "integer 1 9",
            ])
    }

    @Test("an attribute is no value: it fills no slot and ends no frame")
    func attributes() {
        #expect(
            RESPTranscript("|1\r\n+ttl\r\n:9\r\n*2\r\n|1\r\n+k\r\n+v\r\n:1\r\n:2\r\n", .replies).lines == [
                "frame 38", "attribute 1", "  simpleString 3 ttl", "  integer 1 9", "array 2", "  attribute 1",
                "    simpleString 1 k", "    simpleString 1 v", "  integer 1 1", "  integer 1 2",
            ])
        #expect(RESPTranscript("|0\r\n", .replies).lines == ["attribute 0"])
        #expect(RESPTranscript("|0\r\n", .replies).frameLength == 4)
    }

    @Test("streamed aggregates end at their mark, a streamed bulk string at its empty part")
    func streamed() {
        #expect(
            RESPTranscript("*?\r\n%?\r\n+k\r\n:1\r\n.\r\n$?\r\n;2\r\nab\r\n;0\r\n.\r\n", .replies).lines == [
                "frame 38", "array -2", "  map -2", "    simpleString 1 k", "    integer 1 1", "    streamEnd 0",
                "  bulkString -2", "    streamPart 2 ab", "    streamPart 0", "  streamEnd 0",
            ])
    }

    @Test("a token says where its bytes are in the frame, not in the read")
    func offsets() {
        let tokens = RESPTranscript("+OK\r\n*2\r\n$-1\r\n$2\r\nhi\r\n", .replies).tokens
        #expect(tokens.map(\.offset) == [0, 0, 4, 9])
        #expect(tokens.map(\.valueOffset) == [1, 1, 9, 13])
        #expect(tokens.map(\.endOffset) == [5, 4, 9, 17])
        #expect(tokens.map(\.valueRange) == [1..<3, 1..<1, 9..<9, 13..<15])
        #expect(tokens.map(\.depth) == [0, 0, 1, 1])
        #expect(tokens.map(\.endsFrame) == [true, false, false, true])
    }

    @Test("requests are arrays of bulk strings; empty ones are frames that ask for nothing")
    func requests() {
        #expect(
            RESPTranscript("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*0\r\n*-1\r\n", .requests).lines == [
                "frame 20", "array 2", "  bulkString 3 GET", "  bulkString 1 k", "frame 4", "array 0", "frame 5",
                "array -1",
            ])
    }

    @Test("inline commands end with LF; one CR before it belongs to the line end")
    func inline() {
        #expect(
            RESPTranscript("PING\r\n\r\n\nGET \"a b\"\nx\ry\r\r\n$1\r\n", .requests).lines == [
                "frame 6", "inlineCommand 4 PING", "frame 2", "inlineCommand 0", "frame 1", "inlineCommand 0",
                "frame 10", "inlineCommand 9 GET \"a b\"", "frame 6", "inlineCommand 4 x\\x0Dy\\x0D",
                "frame 4", "inlineCommand 2 $1",
            ])
        #expect(RESPTranscript("PING\r\n", .requests).tokens.first?.valueRange == 0..<4)
    }

    @Test("an inline command may be 64 KiB long, and not a byte longer")
    func longInline() {
        let longest = String(repeating: "x", count: 64 << 10)
        #expect(RESPTranscript(longest + "\r\n", .requests).tokens.map(\.length) == [64 << 10])
        #expect(RESPTranscript(longest + "x\r\n", .requests).error == .lineTooLong)
    }

    @Test("ten thousand commands in one read")
    func pipelined() {
        let command = Array("*3\r\n$4\r\nXACK\r\n$6\r\norders\r\n$7\r\nbilling\r\n".utf8)
        let bytes = Array(repeatElement(command, count: 10_000).joined())
        let transcript = RESPTranscript([bytes[...]], .requests)
        #expect(transcript.tokens.count == 40_000)
        #expect(transcript.tokens.filter(\.endsFrame).allSatisfy { $0.endOffset == command.count })
        #expect(transcript.tokens.filter(\.endsFrame).count == 10_000)
        #expect(transcript.frameLength == 0)
    }

    @Test("a long bulk is announced once its length is known, and passes without being held")
    func announced() throws {
        var limits = RESPLimits()
        limits.announceAbove = 3
        var decoder = RESPDecoder(role: .replies, limits: limits)
        func step(_ text: String, from start: Int = 0) throws -> (RESPDecoder.Step, Int) {
            var position = start
            let step = try decoder.next(in: Array(text.utf8).span, at: &position)
            return (step, position)
        }
        let long = RESPToken(
            kind: .bulkString, depth: 0, endsFrame: true, offset: 0, valueOffset: 4, length: 5, endOffset: 11)

        #expect(try step("$5\r") == (.needsMore, 3))
        #expect(try step("\nab") == (.announced(long), 1))
        #expect(try step("\nab", from: 1) == (.needsMore, 3))
        #expect(decoder.frameLength == 6)
        #expect(try step("cde\r") == (.needsMore, 4))
        #expect(try step("\n+OK") == (.token(long), 1))
        #expect(decoder.frameLength == 0)

        // Neither one that is here, nor one that is short.
        #expect(try step("$5\r\nabcde\r") == (.needsMore, 10))
        #expect(try step("\n") == (.token(long), 1))
        #expect(try step("$3\r\n") == (.needsMore, 4))
    }

    @Test("a frame of many gigabytes keeps its offsets")
    func gigabytes() throws {
        let part = 16 << 20
        let payload = [UInt8](repeating: 0x61, count: part)
        let count = 640
        var decoder = RESPDecoder(
            role: .replies,
            limits: {
                var limits = RESPLimits()
                limits.bulkBytesMax = 1 << 40
                return limits
            }())
        var position = 0
        let header = "$\(part * count)\r\n"
        guard case .announced = try decoder.next(in: Array(header.utf8).span, at: &position) else {
            Issue.record("not announced")
            return
        }
        for _ in 0..<count {
            position = 0
            #expect(try decoder.next(in: payload.span, at: &position) == .needsMore)
        }
        position = 0
        guard case .token(let token) = try decoder.next(in: Array("\r\n".utf8).span, at: &position) else {
            Issue.record("no token")
            return
        }
        #expect(token.length == 10 << 30)
        #expect(token.endOffset == header.utf8.count + (10 << 30) + 2)
    }
}
