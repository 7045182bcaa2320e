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

    /// Decodes the chunks one after the other and checks what is true of every call.
    init(
        _ chunks: [ArraySlice<UInt8>], _ role: RESPDecoder.Role, limits: RESPLimits = RESPLimits(),
        keeping: Keeping = .nothing
    ) {
        var decoder = RESPDecoder(role: role, limits: limits)
        var held = HeldBytes(keeping)
        var position = 0
        var announced: RESPToken?
        do throws(RESPError) {
            for chunk in chunks {
                held.append(chunk, isInsideFrame: decoder.frameLength > 0, &position)
                take: while true {
                    let before = position
                    let frameBefore = decoder.frameLength
                    let step = try decoder.next(in: held.bytes.span, at: &position)
                    check(position >= before && position <= held.bytes.count)
                    switch step {
                    case .token(let token):
                        tokens.append(token)
                        check(position > before && (announced ?? token) == token)
                        announced = nil
                        check(token.endOffset == frameBefore + position - before)
                        check(decoder.frameLength == (token.endsFrame ? 0 : token.endOffset))
                        if token.endsFrame { held.endFrame(&position) }
                    case .announced(let token):
                        check(announced == nil && token.length > limits.announceAbove)
                        check(decoder.frameLength == token.valueOffset)
                        announced = token
                    case .needsMore:
                        check(position == held.bytes.count)
                        check(decoder.frameLength == frameBefore + position - before)
                        break take
                    }
                }
                held.endChunk()
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
            if !value.isEmpty { line += " " + printable(value) }
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
}
