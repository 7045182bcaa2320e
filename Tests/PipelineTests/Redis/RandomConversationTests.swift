import Pipeline
import TestSupport
import Testing

/// Conversations that nobody thought of.
@Suite struct RandomConversationTests {
    @Test(arguments: 1...40 as ClosedRange<UInt64>) func bytesOutAreBytesIn(seed: UInt64) {
        var random = SeededGenerator(seed: seed &* 0x9e37_79b9_7f4a_7c15)
        let script = RandomScript.make(&random)
        let limit = Bool.random(using: &random) ? 1 << 20 : 200
        let world = World(inject: .never, frameBytesMax: limit)
        let recording = script.run(in: world) { $0.cut(.random(in: 1...64, using: &random), by: &random) }
        #expect(recording.toUpstream == script.sent, "seed \(seed)")
        #expect(recording.toClient == script.replied, "seed \(seed)")
        #expect(recording.opaque == nil, "seed \(seed)")
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>) func onlyTheAddedFieldsDiffer(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &* 0xd6e8_feb8_6659_fd93)
        let script = RandomScript.make(&random)
        let recording = script.run(in: World()) { $0.cut(.random(in: 1...64, using: &random), by: &random) }
        #expect(Self.withoutAdded(recording.toUpstream) == script.sent, "seed \(seed)")
        #expect(recording.toClient == script.replied, "seed \(seed)")
        let whole = script.run(in: World()) { [$0[...]] }
        #expect(recording == whole, "seed \(seed)")
    }

    /// Damaged conversations, the two directions in any order: every byte passes as it came, and nothing traps.
    @Test(arguments: 1...200 as ClosedRange<UInt64>) func noiseIsPassed(seed: UInt64) {
        var random = SeededGenerator(seed: seed &* 0xa076_1d64_78bd_642f)
        let run = NoisyRun(World(inject: .never, frameBytesMax: 300), &random)
        #expect(run.toUpstream == run.sent, "seed \(seed)")
        #expect(run.toClient == run.replied, "seed \(seed)")
    }

    /// The same with edits: what comes out cannot be told beforehand, but nothing traps and nothing stays open.
    @Test(arguments: 1...200 as ClosedRange<UInt64>) func noiseIsSurvived(seed: UInt64) {
        var random = SeededGenerator(seed: seed &* 0xe703_7ed1_a0b4_28db)
        let world = World(deliver: .strip, frameBytesMax: 300)
        let run = NoisyRun(world, &random)
        #expect(run.toUpstream.count >= run.sent.count, "seed \(seed)")
        world.advance(milliseconds: 100_000)
        world.lane.tick(at: world.now)
        #expect(world.deliveries.count == 0, "seed \(seed)")
    }

    /// Takes the marked fields out again and writes the commands anew.
    static func withoutAdded(_ text: String) -> String {
        commands(in: Array(text.utf8)).map { words in
            var words = words
            for added in [6, 4, 2] where words.count > added {
                let fields = Array(words.suffix(added))
                let names = stride(from: 0, to: added, by: 2).map { fields[$0] }
                guard AddedFields(command("XADD", fields: fields)) != nil, names.first == "traceparent",
                    names == ["traceparent", "correlationid", "causationid"].filter(names.contains)
                else { continue }
                words.removeLast(added)
                break
            }
            return array(words.map(bulk))
        }.joined()
    }

    /// The words of each command. The test's own commands are well-formed arrays.
    private static func commands(in bytes: [UInt8]) -> [[String]] {
        var rest = bytes[...]
        func number() -> Int {
            let line = rest.prefix { $0 != UInt8(ascii: "\r") }
            rest = rest.dropFirst(line.count + 2)
            return Int(String(decoding: line.dropFirst(), as: UTF8.self)) ?? 0
        }
        var commands: [[String]] = []
        while !rest.isEmpty {
            let count = number()
            let words = (0..<count).map { _ in
                let length = number()
                defer { rest = rest.dropFirst(length + 2) }
                return String(decoding: rest.prefix(length), as: UTF8.self)
            }
            commands.append(words)
        }
        return commands
    }
}

/// A damaged conversation whose two directions arrive in pieces, interleaved at random.
private struct NoisyRun {
    private(set) var sent: [UInt8] = []
    private(set) var replied: [UInt8] = []
    private(set) var toUpstream: [UInt8] = []
    private(set) var toClient: [UInt8] = []

    init(_ world: World, _ random: inout SeededGenerator) {
        let conversation = world.connect()
        for step in RandomScript.make(&random).steps {
            switch step {
            case .client(let text): sent += Array(text.utf8).damaged(&random)
            case .upstream(let text): replied += Array(text.utf8).damaged(&random)
            }
        }
        var requests = sent.cut(200, by: &random)[...]
        var replies = replied.cut(200, by: &random)[...]
        while !requests.isEmpty || !replies.isEmpty {
            if replies.isEmpty || (!requests.isEmpty && Bool.random(using: &random)) {
                toUpstream += conversation.client(Array(requests.removeFirst()))
            } else {
                toClient += conversation.upstream(Array(replies.removeFirst()))
            }
        }
        toUpstream += conversation.clientFinished()
        toClient += conversation.upstreamFinished()
        conversation.close()
    }
}

/// Makes conversations that a client and a server might have.
enum RandomScript {
    static func make(_ random: inout SeededGenerator) -> Script {
        var steps: [Script.Step] = []
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            var sent = ""
            var replied = ""
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let (command, reply) = exchange(&random)
                sent += command
                replied += reply
            }
            steps += [.client(sent), .upstream(replied)]
        }
        return Script(steps: steps)
    }

    /// A command and what answers it; sometimes with a push that answers nothing.
    private static func exchange(_ random: inout SeededGenerator) -> (String, String) {
        let pushed = Int.random(in: 0..<8, using: &random) == 0 ? push(bulk("invalidate"), array([bulk("k")])) : ""
        let (command, reply) = plain(&random)
        guard Int.random(in: 0..<6, using: &random) == 0 else { return (command, pushed + reply) }
        let (second, answer) = plain(&random)
        return (
            PipelineTests.command("MULTI") + command + second + PipelineTests.command("EXEC"),
            ok + queued + queued + pushed + array([reply, answer])
        )
    }

    private static func plain(_ random: inout SeededGenerator) -> (String, String) {
        let entries = (0..<Int.random(in: 0..<4, using: &random)).map { _ in
            entry("\(Int.random(in: 1...99, using: &random))-0", fields: fields(&random))
        }
        switch Int.random(in: 0..<10, using: &random) {
        case 0: return (command("GET", word(&random)), bulk(word(&random)))
        case 1: return (command("LRANGE", "l", "0", "9"), array([bulk(word(&random)), array([]), "$-1\r\n"]))
        case 2: return (command("PUBLISH", "c", word(&random)), integer(3))
        case 3: return (command("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"), streams(("s", entries)))
        case 4: return (command("XREAD", "STREAMS", "s", "0"), entries.isEmpty ? "_\r\n" : streamMap(("s", entries)))
        case 5: return (command("XACK", "s", "g", "1-0", "\(Int.random(in: 1...99, using: &random))-0"), integer(1))
        case 6: return (command("XRANGE", "s", "-", "+"), array(entries))
        case 7: return (command("XCLAIM", "s", "g", "d", "0", "1-0"), "-NOGROUP none\r\n")
        default: return (command("XADD", "s", "*", fields: fields(&random)), bulk("\(entries.count)-1"))
        }
    }

    private static func fields(_ random: inout SeededGenerator) -> [String] {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: ["k", word(&random), "traceparent", Context.sampled]
        case 1: ["correlationid", "order-7", "k", word(&random)]
        case 2: ["traceparent", word(&random)]
        default: [word(&random), word(&random), "k", word(&random)]
        }
    }

    private static func word(_ random: inout SeededGenerator) -> String {
        let letters = ["a", "traceparent", "*1", "é", "$", " ", "\n", "0"]
        return (0..<Int.random(in: 0..<5, using: &random)).map { _ in letters.randomElement(using: &random) ?? "" }
            .joined()
    }
}

extension Script {
    var sent: String {
        steps.map { if case .client(let text) = $0 { text } else { "" } }.joined()
    }

    var replied: String {
        steps.map { if case .upstream(let text) = $0 { text } else { "" } }.joined()
    }
}

extension [UInt8] {
    /// With a few bytes overwritten, doubled or gone.
    func damaged(_ random: inout SeededGenerator) -> [UInt8] {
        var damaged = self
        for _ in 0..<Int.random(in: 0..<3, using: &random) where !damaged.isEmpty {
            let position = Int.random(in: 0..<damaged.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: damaged[position] = UInt8.random(in: .min ... .max, using: &random)
            case 1: damaged.insert(Array("*$:->0159\r\n".utf8).randomElement(using: &random) ?? 0, at: position)
            case 2: damaged.remove(at: position)
            default: damaged.removeSubrange(position..<Swift.min(damaged.count, position + 9))
            }
        }
        return damaged
    }
}
