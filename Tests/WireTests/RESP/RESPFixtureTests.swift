import TestSupport
import Testing
import Wire

/// Bytes captured from a real server and its clients, with the frames they mean.
struct RESPFixture: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let expected: [String]

    var role: RESPDecoder.Role { name.hasPrefix("requests") ? .requests : .replies }
    var testDescription: String { name }

    static let all = Capture.all("resp", meaning: "frames").map {
        RESPFixture(name: $0.name, bytes: $0.bytes, expected: $0.expected)
    }
}

@Suite("RESP fixtures")
struct RESPFixtureTests {
    @Test("the fixtures are there, in both roles")
    func present() {
        #expect(RESPFixture.all.filter { $0.role == .requests }.count >= 9)
        #expect(RESPFixture.all.filter { $0.role == .replies }.count >= 12)
    }

    @Test("in one read: the frames that were captured", arguments: RESPFixture.all)
    func whole(fixture: RESPFixture) {
        let transcript = RESPTranscript(fixture.bytes, fixture.role)
        #expect(transcript.lines == fixture.expected)
        #expect(transcript.frameLength == 0)
    }

    @Test("byte at a time: the same tokens", arguments: RESPFixture.all, Keeping.allCases)
    func byteAtATime(fixture: RESPFixture, keeping: Keeping) {
        let whole = RESPTranscript([fixture.bytes[...]], fixture.role)
        let bytes = fixture.bytes.indices.map { fixture.bytes[$0...$0] }
        #expect(RESPTranscript(bytes, fixture.role, keeping: keeping) == whole)
    }

    /// Between frames the decoder is as new, so it is enough to split every frame at every place.
    @Test("every split point of every frame: the same tokens", arguments: RESPFixture.all)
    func everySplit(fixture: RESPFixture) {
        var rest = fixture.bytes[...]
        for end in RESPTranscript([rest], fixture.role).tokens.filter(\.endsFrame).map(\.endOffset) {
            let frame = rest.prefix(end)
            rest = rest.dropFirst(end)
            let whole = RESPTranscript([frame], fixture.role)
            for split in frame.indices.dropFirst() {
                let halves = [frame[..<split], frame[split...]]
                for keeping in Keeping.allCases {
                    guard RESPTranscript(halves, fixture.role, keeping: keeping) != whole else { continue }
                    Issue.record("frame \(Array(frame)) split at \(split - frame.startIndex), \(keeping)")
                }
            }
        }
        #expect(rest.isEmpty)
    }

    @Test("random chunks: the same tokens", arguments: RESPFixture.all)
    func randomChunks(fixture: RESPFixture) {
        let whole = RESPTranscript([fixture.bytes[...]], fixture.role)
        for seed in 1...20 as ClosedRange<UInt64> {
            var random = SeededGenerator(seed: seed)
            let chunks = fixture.bytes.cut(40, by: &random)
            #expect(RESPTranscript(chunks, fixture.role, keeping: .ruins) == whole, "seed \(seed)")
        }
    }
}
