import TestSupport
import Testing
import Wire

/// Bytes captured from a real server and its clients, with the operations they mean.
struct NATSFixture: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let expected: [String]

    var role: NATSDecoder.Role { name.hasPrefix("client") ? .client : .server }
    var testDescription: String { name }

    static let all = Capture.all("nats", meaning: "ops").map {
        NATSFixture(name: $0.name, bytes: $0.bytes, expected: $0.expected)
    }
}

@Suite("NATS fixtures")
struct NATSFixtureTests {
    @Test("the fixtures are there, in both roles")
    func present() {
        #expect(NATSFixture.all.filter { $0.role == .client }.count >= 7)
        #expect(NATSFixture.all.filter { $0.role == .server }.count >= 7)
    }

    @Test("in one read: the operations that were captured", arguments: NATSFixture.all)
    func whole(fixture: NATSFixture) {
        #expect(NATSTranscript.lines(fixture.bytes, fixture.role) == fixture.expected)
        #expect(NATSTranscript([fixture.bytes[...]], fixture.role).frameLength == 0)
    }

    @Test("byte at a time: the same steps", arguments: NATSFixture.all, Keeping.allCases)
    func byteAtATime(fixture: NATSFixture, keeping: Keeping) {
        let whole = NATSTranscript([fixture.bytes[...]], fixture.role)
        let bytes = fixture.bytes.indices.map { fixture.bytes[$0...$0] }
        #expect(NATSTranscript(bytes, fixture.role, keeping: keeping) == whole)
    }

    /// Between operations the decoder is as new, so it is enough to split every operation at every place.
    @Test("every split point of every operation: the same steps", arguments: NATSFixture.all)
    func everySplit(fixture: NATSFixture) {
        var rest = fixture.bytes[...]
        for end in NATSTranscript([rest], fixture.role).operations.map(\.endOffset) {
            let frame = rest.prefix(end)
            rest = rest.dropFirst(end)
            let whole = NATSTranscript([frame], fixture.role)
            for split in frame.indices.dropFirst() {
                let halves = [frame[..<split], frame[split...]]
                for keeping in Keeping.allCases {
                    guard NATSTranscript(halves, fixture.role, keeping: keeping) != whole else { continue }
                    Issue.record("operation \(Array(frame)) split at \(split - frame.startIndex), \(keeping)")
                }
            }
        }
        #expect(rest.isEmpty)
    }

    @Test("random chunks: the same steps", arguments: NATSFixture.all)
    func randomChunks(fixture: NATSFixture) {
        let whole = NATSTranscript([fixture.bytes[...]], fixture.role)
        for seed in 1...20 as ClosedRange<UInt64> {
            var random = SeededGenerator(seed: seed)
            let chunks = fixture.bytes.cut(40, by: &random)
            #expect(NATSTranscript(chunks, fixture.role, keeping: .ruins) == whole, "seed \(seed)")
        }
    }

    @Test(
        "mutated bytes never trap, and decode alike however they are split", arguments: NATSFixture.all,
        [UInt64.random(in: 1...UInt64.max)])
    func mutated(fixture: NATSFixture, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var limits = NATSLimits()
        limits.lineBytesMax = 90
        limits.payloadBytesMax = 200
        for round in 0..<40 {
            let start = round % 2 == 0 ? 0 : Int.random(in: 0..<fixture.bytes.count, using: &random)
            var bytes = Array(fixture.bytes[start...].prefix(1500))
            for _ in 0...Int.random(in: 0...3, using: &random) { Self.mutate(&bytes, &random) }
            let limits = round % 3 == 0 ? NATSLimits() : limits
            let whole = NATSTranscript([bytes[...]], fixture.role, limits: limits)
            for keeping in Keeping.allCases {
                let chunks = bytes.cut(Int.random(in: 1...64, using: &random), by: &random)
                let split = NATSTranscript(chunks, fixture.role, limits: limits, keeping: keeping)
                #expect(split.steps == whole.steps, "seed \(seed), round \(round)")
                #expect(split.error == whole.error, "seed \(seed), round \(round)")
            }
        }
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        let telling = Array("PUBHMSGN+- \t0123456789\r\n".utf8)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[place] = telling[Int.random(in: 0..<telling.count, using: &random)]
        case 2: bytes.insert(telling[Int.random(in: 0..<telling.count, using: &random)], at: place)
        case 3: bytes.remove(at: place)
        default: bytes.insert(contentsOf: bytes[place...].prefix(30), at: place)
        }
    }
}
