import TestSupport
import Testing
import Wire

@Suite("RESP under mutation")
struct RESPMutationTests {
    /// Limits that mutated lengths can pass, so that every error is met.
    static let limits = {
        var limits = RESPLimits()
        limits.bulkBytesMax = 5000
        limits.lineBytesMax = 60
        limits.elementsMax = 300
        limits.depthMax = 6
        limits.announceAbove = 16
        return limits
    }()

    @Test(
        "mutated bytes never trap, and decode alike however they are split", arguments: RESPFixture.all,
        [UInt64.random(in: 1...UInt64.max)])
    func mutated(fixture: RESPFixture, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for round in 0..<40 {
            // A window keeps rounds quick; that it starts amid a frame is one more mutation.
            let start = round % 2 == 0 ? 0 : Int.random(in: 0..<fixture.bytes.count, using: &random)
            var bytes = Array(fixture.bytes[start...].prefix(1500))
            for _ in 0...Int.random(in: 0...3, using: &random) { Self.mutate(&bytes, &random) }
            let limits = round % 3 == 0 ? RESPLimits() : Self.limits
            let whole = RESPTranscript([bytes[...]], fixture.role, limits: limits)
            for keeping in Keeping.allCases {
                let chunks = bytes.cut(Int.random(in: 1...64, using: &random), by: &random)
                let split = RESPTranscript(chunks, fixture.role, limits: limits, keeping: keeping)
                #expect(split.tokens == whole.tokens, "seed \(seed), round \(round)")
                #expect(split.error == whole.error, "seed \(seed), round \(round)")
            }
        }
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        let telling = Array("+-:$*_,#(!=%~|>.;?0123456789\r\n".utf8)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[place] = telling[Int.random(in: 0..<telling.count, using: &random)]
        case 2: bytes.insert(telling[Int.random(in: 0..<telling.count, using: &random)], at: place)
        case 3: bytes.remove(at: place)
        default: bytes.insert(contentsOf: bytes[place...].prefix(30), at: place)
        }
    }
}
