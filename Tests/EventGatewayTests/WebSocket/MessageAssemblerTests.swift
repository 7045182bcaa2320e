import Testing

@testable import EventGateway

@Suite("Sockets: messages from frames")
struct MessageAssemblerTests {
    private func take(_ frames: [(opcode: UInt8, isFinal: Bool, text: String)], max: Int = 8) -> [MessageAssembler
        .Outcome]
    {
        var assembler = MessageAssembler(messageBytesMax: max)
        return frames.map { frame in
            assembler.take(
                MessageAssembler.Frame(
                    opcode: frame.opcode, isFinal: frame.isFinal, hasReservedBits: false, isMasked: true,
                    payload: Array(frame.text.utf8)))
        }
    }

    @Test("a message may come in fragments, with control frames between them")
    func fragments() {
        #expect(take([(1, true, "ab")]) == [.text(Array("ab".utf8))])
        #expect(
            take([(1, false, "a"), (9, true, "x"), (0, false, ""), (10, true, ""), (0, true, "b"), (1, true, "c")])
                == [
                    .nothing, .ping(Array("x".utf8)), .nothing, .pong, .text(Array("ab".utf8)), .text(Array("c".utf8)),
                ])
    }

    @Test("a character may be split between fragments")
    func splitCharacter() {
        var assembler = MessageAssembler(messageBytesMax: 8)
        func frame(_ opcode: UInt8, _ isFinal: Bool, _ bytes: [UInt8]) -> MessageAssembler.Frame {
            MessageAssembler.Frame(
                opcode: opcode, isFinal: isFinal, hasReservedBits: false, isMasked: true, payload: bytes)
        }
        #expect(assembler.take(frame(1, false, [0xc3])) == .nothing)
        #expect(assembler.take(frame(0, true, [0xa9])) == .text([0xc3, 0xa9]))
        #expect(assembler.take(frame(1, true, [0xc3])) == .violation(.malformed, "text that is not UTF-8"))
    }

    @Test("at the limit, and one beyond, in one frame and in several")
    func limits() {
        let tooLarge = MessageAssembler.Outcome.violation(.tooLarge, "a message has at most 8 bytes")
        #expect(take([(1, true, "12345678")]) == [.text(Array("12345678".utf8))])
        #expect(take([(1, true, "123456789")]) == [tooLarge])
        #expect(take([(1, false, "1234"), (0, true, "5678")]).last == .text(Array("12345678".utf8)))
        #expect(take([(1, false, "1234"), (0, true, "56789")]).last == tooLarge)
    }

    @Test(
        "what no client may send",
        arguments: [
            (0, true, "x", .protocolError), (2, true, "x", .unsupportedData), (3, true, "", .protocolError),
            (15, true, "", .protocolError), (8, true, "x", .protocolError),
        ] as [(UInt8, Bool, String, SocketCloseReason)])
    func violations(opcode: UInt8, isFinal: Bool, text: String, reason: SocketCloseReason) {
        guard case .violation(reason, _) = take([(opcode, isFinal, text)])[0] else {
            Issue.record("taken")
            return
        }
    }

    @Test("a goodbye has no payload, or a code that may be sent and a text")
    func goodbyes() {
        func close(_ bytes: [UInt8]) -> MessageAssembler.Outcome {
            var assembler = MessageAssembler(messageBytesMax: 8)
            return assembler.take(
                MessageAssembler.Frame(
                    opcode: 8, isFinal: true, hasReservedBits: false, isMasked: true, payload: bytes))
        }
        #expect(close([]) == .closed && close([0x03, 0xe8]) == .closed && close([0x0f, 0xa0, 0x41]) == .closed)
        for bytes: [UInt8] in [[0x03], [0x03, 0xed], [0x00, 0x01], [0x03, 0xe8, 0xff]] {
            #expect(close(bytes) == .violation(.protocolError, "a malformed close"))
        }
    }

    @Test("frames must be masked, and have no reserved bits")
    func headers() {
        var assembler = MessageAssembler(messageBytesMax: 8)
        var frame = MessageAssembler.Frame(
            opcode: 1, isFinal: true, hasReservedBits: false, isMasked: false, payload: [])
        #expect(assembler.take(frame) == .violation(.protocolError, "a client masks its frames"))
        frame.isMasked = true
        frame.hasReservedBits = true
        #expect(assembler.take(frame) == .violation(.protocolError, "no extension was agreed on"))
        #expect(take([(1, false, "a"), (1, true, "b")]).last == .violation(.protocolError, "a message within another"))
    }
}
