import EventLogSupport
import TestSupport
import Testing

@testable import EventLog

@Suite("The embedded session and the way bytes arrive")
struct SplitTests {
    private static let conversation: [UInt8] =
        command("XADD", "s", "1-1", "name", "a value") + Array("PING 'in line'\r\n".utf8)
        + command("MULTI") + command("XADD", "s", "2-*", "f", "") + command("XLEN", "s") + command("EXEC")
        + command("XRANGE", "s", "-", "+", "COUNT", "5") + command("NOSUCH", "x") + command("XLEN", "s")

    @Test("a split anywhere changes nothing")
    func splits() {
        var whole = FaceWorld()
        let expected = whole.ask(Self.conversation)
        #expect(expected.hasSuffix(":2|"))
        for position in 1..<Self.conversation.count {
            var world = FaceWorld()
            let said = world.ask(Self.conversation[..<position]) + world.ask(Self.conversation[position...])
            #expect(said == expected, "split at \(position)")
        }
    }

    @Test("neither do single bytes, nor replies that come only at the end")
    func singleBytes() {
        var whole = FaceWorld()
        let expected = whole.ask(Self.conversation)
        var dripping = FaceWorld()
        #expect(Self.conversation.map { dripping.ask([$0]) }.joined() == expected)
        var late = FaceWorld()
        let first = Self.conversation.map { late.send([$0]) }.joined()
        #expect(first + late.answerAll() == expected)
    }

    @Test("bytes changed at random never end the process, and the session stays within its bounds", arguments: 0..<8)
    func mutations(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        for _ in 0..<400 {
            var bytes = Self.conversation
            for _ in 0..<Int.random(in: 1...4, using: &dice) {
                let position = Int.random(in: 0..<bytes.count, using: &dice)
                switch Int.random(in: 0..<3, using: &dice) {
                case 0: bytes[position] = UInt8.random(in: 0...255, using: &dice)
                case 1: bytes.remove(at: position)
                default: bytes.insert(contentsOf: bytes[position...].prefix(9), at: position)
                }
            }
            var world = FaceWorld()
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = min(rest.count, Int.random(in: 1...60, using: &dice))
                _ = world.ask(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            #expect(world.session.slots.count <= EmbeddedSession.slotsMax, "seed \(seed)")
        }
    }
}
