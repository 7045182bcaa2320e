// A libFuzzer target, compiled into one module with Sources/Wire by `scripts/fuzz resp`. `FuzzInput` says what an input is;
// the other direction is that of replies.
//
// A finding is a trap, a call that breaks the contract of `next`, or a split that changes the outcome. Held readers get the
// same bytes: they must only not trap.

/// What a run came to, in a form that two runs can be compared in.
private struct Outcome: Equatable {
    var tokens: [RESPToken] = []
    var error: RESPError?
}

/// Decodes the input, whole or in pieces.
private func decode(_ input: FuzzInput, _ decoder: RESPDecoder, inPieces: Bool) -> Outcome {
    var decoder = decoder
    var outcome = Outcome()
    input.feed(inPieces: inPieces) { held, position in
        do throws(RESPError) {
            while true {
                let before = (position: position, frame: decoder.frameLength)
                switch try decoder.next(in: held, at: &position) {
                case .token(let token):
                    precondition(position > before.position && position <= held.count)
                    precondition(token.endOffset == before.frame + position - before.position)
                    precondition(decoder.frameLength == (token.endsFrame ? 0 : token.endOffset))
                    outcome.tokens.append(token)
                case .announced(let token):
                    precondition(position >= before.position && decoder.frameLength == token.valueOffset)
                case .needsMore:
                    precondition(position == held.count)
                    return true
                }
            }
        } catch {
            outcome.error = error
            return false
        }
    }
    return outcome
}

private func readHeld(_ stream: Span<UInt8>) {
    let all = 0..<stream.count
    _ = RESPText.integer(stream, in: all)
    _ = RESPText.entryID(stream, in: all)
    _ = RESPText.matches(stream, in: all, "XREADGROUP")
    _ = InlineWords.split(stream)
}

/// Decodes one input whole and in pieces, and insists that the outcome is the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard let input = FuzzInput(start, count) else { return 0 }
    var limits = RESPLimits()
    if input.hasSmallLimits {
        limits.bulkBytesMax = 200
        limits.lineBytesMax = 50
        limits.elementsMax = 20
        limits.depthMax = 4
        limits.announceAbove = 8
    }
    let decoder = RESPDecoder(role: input.isOtherDirection ? .replies : .requests, limits: limits)
    precondition(decode(input, decoder, inPieces: false) == decode(input, decoder, inPieces: true))
    readHeld(input.stream.span)
    return 0
}
