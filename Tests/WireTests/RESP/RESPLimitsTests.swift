import Testing
import Wire

@Suite("RESP limits and malformed bytes")
struct RESPLimitsTests {
    static let small = {
        var limits = RESPLimits()
        limits.bulkBytesMax = 10
        limits.lineBytesMax = 5
        limits.elementsMax = 3
        limits.depthMax = 2
        limits.announceAbove = 4
        return limits
    }()

    /// What bytes come to in the small limits: the error, or nil; the same a byte at a time.
    private func error(_ text: String, _ role: RESPDecoder.Role) -> RESPError? {
        let bytes = Array(text.utf8)
        let whole = RESPTranscript([bytes[...]], role, limits: Self.small)
        let single = RESPTranscript(bytes.indices.map { bytes[$0...$0] }, role, limits: Self.small, keeping: .ruins)
        #expect(single.tokens == whole.tokens)
        #expect(single.error == whole.error)
        return whole.error
    }

    @Test(
        "replies: at the limit, and one beyond",
        arguments: [
            ("$10\r\n0123456789\r\n", nil), ("$11\r\n", .bulkTooLong), ("!11\r\n", .bulkTooLong),
            ("=11\r\n", .bulkTooLong), ("$?\r\n;11\r\n", .bulkTooLong),
            ("+12345\r\n", nil), ("+123456", .lineTooLong), (":123456", .lineTooLong), ("(123456", .lineTooLong),
            ("*3\r\n:1\r\n:2\r\n:3\r\n", nil), ("*4\r\n", .tooManyElements), ("%4\r\n", .tooManyElements),
            ("~4\r\n", .tooManyElements), (">4\r\n", .tooManyElements), ("|4\r\n", .tooManyElements),
            ("*1\r\n*1\r\n*0\r\n", nil), ("*1\r\n*1\r\n*1\r\n", .tooDeep), ("*1\r\n*1\r\n%?\r\n", .tooDeep),
            ("*1\r\n*1\r\n$?\r\n", .tooDeep), ("*1\r\n*1\r\n|1\r\n", .tooDeep),
            ("*99999999999999999999\r\n", .tooManyElements), ("$99999999999999999999\r\n", .bulkTooLong),
            ("%9223372036854775807\r\n", .tooManyElements), ("$9223372036854775808\r\n", .bulkTooLong),
        ] as [(String, RESPError?)])
    func replies(text: String, expected: RESPError?) {
        #expect(error(text, .replies) == expected)
    }

    @Test(
        "replies: malformed",
        arguments: [
            ("$-2\r\n", .malformedLength), ("*-5\r\n", .malformedLength), ("$-\r\n", .malformedLength),
            ("$-10\r\n", .malformedLength), ("$--1\r\n", .malformedLength), ("$+1\r\n", .malformedLength),
            ("$\r\n", .malformedLength), ("$01\r\n", .malformedLength), ("$00\r\n", .malformedLength),
            ("$1x\r\n", .malformedLength), ("$ 1\r\n", .malformedLength), ("*1?\r\n", .malformedLength),
            ("!-1\r\n", .malformedLength), ("%-1\r\n", .malformedLength), ("~-1\r\n", .malformedLength),
            ("|-1\r\n", .malformedLength), ("|?\r\n", .malformedLength), ("=?\r\n", .malformedLength),
            ("=3\r\ntxt\r\n", .malformedLength),
            ("*1\n", .malformedLineEnd), ("*1\rx", .malformedLineEnd), ("$1\r\nab\r\n", .malformedLineEnd),
            ("$1\r\na\rb", .malformedLineEnd), ("$0\r\n\n", .malformedLineEnd), ("+a\nb\r\n", .malformedLineEnd),
            ("+a\rb\r\n", .malformedLineEnd), ("+a\r\r\n", .malformedLineEnd),
            (":\r\n", .malformedValue), (":-\r\n", .malformedValue), (":1-\r\n", .malformedValue),
            (":1a\r\n", .malformedValue), ("(1.5\r\n", .malformedValue), ("_x\r\n", .malformedValue),
            ("#\r\n", .malformedValue), ("#x\r\n", .malformedValue), ("#tt\r\n", .malformedValue),
            (",\r\n", .malformedValue), (",-\r\n", .malformedValue), (",1,5\r\n", .malformedValue),
            ("%?\r\n+k\r\n.\r\n", .malformedValue), ("*?\r\n|1\r\n+k\r\n+v\r\n.\r\n", .malformedValue),
            ("*?\r\n.x\r\n", .malformedValue),
            ("PING\r\n", .unknownType), ("\r\n", .unknownType), (".\r\n", .unknownType), (";0\r\n", .unknownType),
            ("*1\r\n.\r\n", .unknownType), ("*?\r\n;1\r\n", .unknownType), ("$?\r\n+a\r\n", .unknownType),
            ("*1\r\n>1\r\n", .unknownType),
        ] as [(String, RESPError)])
    func malformedReplies(text: String, expected: RESPError) {
        #expect(error(text, .replies) == expected)
    }

    @Test(
        "requests: limits and malformed",
        arguments: [
            ("*3\r\n$1\r\na\r\n$1\r\nb\r\n$10\r\n0123456789\r\n", nil), ("*4\r\n", .tooManyElements),
            ("*1\r\n$11\r\n", .bulkTooLong), ("12345\r\n12345\n", nil), ("123456", .lineTooLong),
            ("1234\rx", .lineTooLong), ("*99999999999999999999\r\n", .tooManyElements),
            ("*1\r\n:1\r\n", .notACommand), ("*1\r\n*1\r\n", .notACommand), ("*1\r\nGET\r\n", .notACommand),
            ("*1\r\n$-1\r\n", .malformedLength), ("*1\r\n$?\r\n", .malformedLength), ("*?\r\n", .malformedLength),
            ("*-2\r\n", .malformedLength), ("*\r\n", .malformedLength), ("*1\n", .malformedLineEnd),
        ] as [(String, RESPError?)])
    func requests(text: String, expected: RESPError?) {
        #expect(error(text, .requests) == expected)
    }

    @Test("limits that arithmetic could not bear are cut down, and none trap")
    func extremeLimits() {
        var limits = RESPLimits()
        limits.bulkBytesMax = .max
        limits.elementsMax = .max
        limits.lineBytesMax = .max
        limits.depthMax = .max
        limits.announceAbove = .max
        let huge = "9223372036854775807\r\n"
        #expect(RESPTranscript("$" + huge, .replies, limits: limits).error == .bulkTooLong)
        #expect(RESPTranscript("%" + huge, .replies, limits: limits).error == .tooManyElements)
        #expect(RESPTranscript("%576460752303423487\r\n", .replies, limits: limits).lines == ["map 576460752303423487"])
        #expect(RESPTranscript("$576460752303423487\r\nx", .replies, limits: limits).frameLength == 22)
        let deep = RESPTranscript(String(repeating: "*1\r\n", count: 300), .replies, limits: limits)
        #expect(deep.tokens.count == 255)
        #expect(deep.error == .tooDeep)

        limits.bulkBytesMax = .min
        limits.elementsMax = .min
        limits.lineBytesMax = .min
        limits.depthMax = .min
        limits.announceAbove = .min
        #expect(RESPTranscript("$0\r\n\r\n*0\r\n+\r\n", .replies, limits: limits).tokens.count == 3)
        #expect(RESPTranscript("$1\r\n", .replies, limits: limits).error == .bulkTooLong)
        #expect(RESPTranscript("*1\r\n", .replies, limits: limits).error == .tooManyElements)
        #expect(RESPTranscript("+1\r\n", .replies, limits: limits).error == .lineTooLong)
        #expect(RESPTranscript("$?\r\n", .replies, limits: limits).error == .tooDeep)
    }
}
