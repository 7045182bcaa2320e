import Testing
import Wire

/// What decoding some bytes came to, however they arrived.
struct RESPTranscript: Equatable {
    var tokens: [RESPToken] = []
    var error: RESPError?
    /// Bytes of an unfinished frame.
    var frameLength = 0
    /// One line per token: "kind length value", indented by depth; "frame BYTES" before each whole frame.
    var lines: [String] = []

    /// How many calls of `next` did not keep to what it promises.
    var breaches = 0

    /// What the caller does with bytes that were consumed.
    enum Keeping: CaseIterable {
        /// Lets them go: every chunk is decoded from its first byte.
        case nothing
        /// Keeps the current frame and appends to it.
        case frame
        /// Keeps the current frame but overwrites what was consumed, to show that it is not looked at again.
        case ruins
    }

    /// Decodes the chunks one after the other and checks what is true of every call.
    init(
        _ chunks: [ArraySlice<UInt8>], _ role: RESPDecoder.Role, limits: RESPLimits = RESPLimits(),
        keeping: Keeping = .nothing
    ) {
        var decoder = RESPDecoder(role: role, limits: limits)
        var bytes: [UInt8] = []
        var position = 0
        var announced: RESPToken?
        do throws(RESPError) {
            for chunk in chunks {
                if keeping == .nothing || decoder.frameLength == 0 {
                    bytes.removeAll()
                    position = 0
                }
                bytes.append(contentsOf: chunk)
                take: while true {
                    let before = position
                    let frameBefore = decoder.frameLength
                    let step = try decoder.next(in: bytes.span, at: &position)
                    check(position >= before && position <= bytes.count)
                    switch step {
                    case .token(let token):
                        tokens.append(token)
                        check(position > before && (announced ?? token) == token)
                        announced = nil
                        check(token.endOffset == frameBefore + position - before)
                        check(decoder.frameLength == (token.endsFrame ? 0 : token.endOffset))
                        if token.endsFrame {
                            bytes.removeFirst(position)
                            position = 0
                        }
                    case .announced(let token):
                        check(announced == nil && token.length > limits.announceAbove)
                        check(decoder.frameLength == token.valueOffset)
                        announced = token
                    case .needsMore:
                        check(position == bytes.count)
                        check(decoder.frameLength == frameBefore + position - before)
                        break take
                    }
                }
                if keeping == .ruins {
                    for index in bytes.indices { bytes[index] = 0xAA }
                }
            }
        } catch {
            self.error = error
        }
        frameLength = decoder.frameLength
        if breaches > 0 { Issue.record("\(breaches) calls of next broke its contract: \(role), \(keeping), \(chunks)") }
    }

    private mutating func check(_ holds: Bool) {
        if !holds { breaches += 1 }
    }

    /// Decodes all bytes in one read, and writes down what the tokens say.
    init(_ bytes: [UInt8], _ role: RESPDecoder.Role, limits: RESPLimits = RESPLimits()) {
        self.init([bytes[...]], role, limits: limits)
        var start = 0
        var frame: [String] = []
        for token in tokens {
            var line = String(repeating: "  ", count: Int(token.depth)) + "\(token.kind) \(token.length)"
            let value = bytes[(start + token.valueRange.lowerBound)..<(start + token.valueRange.upperBound)]
            if !value.isEmpty { line += " " + Self.printable(value) }
            frame.append(line)
            if token.endsFrame {
                lines += ["frame \(token.endOffset)"] + frame
                frame = []
                start += token.endOffset
            }
        }
        lines += frame
        if let error { lines.append("error \(error.rawValue)") }
    }

    init(_ text: String, _ role: RESPDecoder.Role, limits: RESPLimits = RESPLimits()) {
        self.init(Array(text.utf8), role, limits: limits)
    }

    private static func printable(_ value: ArraySlice<UInt8>) -> String {
        let shown = value.prefix(64).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            let isPlain = (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\\")
            return isPlain ? String(UnicodeScalar(byte)) : "\\x" + (byte < 16 ? "0" : "") + digits
        }
        return shown.joined() + (value.count > 64 ? "..." : "")
    }
}

/// Random numbers that a printed seed repeats (xorshift64*).
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}

extension Array where Element == UInt8 {
    /// Cuts at random places into chunks of up to `chunkMax` bytes.
    func cut(_ chunkMax: Int, by random: inout Seeded) -> [ArraySlice<UInt8>] {
        var chunks: [ArraySlice<UInt8>] = []
        var rest = self[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1...chunkMax, using: &random))
            chunks.append(chunk)
            rest = rest.dropFirst(chunk.count)
        }
        return chunks
    }
}
