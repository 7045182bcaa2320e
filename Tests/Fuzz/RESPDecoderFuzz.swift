// A libFuzzer target, compiled into one module with Sources/Wire by `scripts/fuzz resp`.
//
// Input: one byte of choices (bit 0: replies, bit 1: small limits, bit 2: overwrite what was consumed), one byte that
// seeds the split points, then the stream. A finding is a trap, a call that breaks the contract of `next`, or a split
// that changes the outcome. Held readers get the same bytes: they must only not trap.

/// What a run came to, in a form that two runs can be compared in.
private struct Outcome: Equatable {
    var tokens: [RESPToken] = []
    var error: RESPError?
}

/// Decodes chunk by chunk; `nextLength` says how long the next chunk is.
private func decode(
    _ stream: Span<UInt8>, _ decoder: RESPDecoder, ruins: Bool, nextLength: () -> Int
) -> Outcome {
    var decoder = decoder
    var outcome = Outcome()
    var held: [UInt8] = []
    var position = 0
    var start = 0
    while start < stream.count {
        let end = min(stream.count, start + nextLength())
        if !ruins {
            held.removeAll()
            position = 0
        }
        for index in start..<end { held.append(stream[index]) }
        start = end
        do throws(RESPError) {
            taking: while true {
                let before = (position: position, frame: decoder.frameLength)
                switch try decoder.next(in: held.span, at: &position) {
                case .token(let token):
                    precondition(position > before.position && position <= held.count)
                    precondition(token.endOffset == before.frame + position - before.position)
                    precondition(decoder.frameLength == (token.endsFrame ? 0 : token.endOffset))
                    outcome.tokens.append(token)
                case .announced(let token):
                    precondition(position >= before.position && decoder.frameLength == token.valueOffset)
                case .needsMore:
                    precondition(position == held.count)
                    break taking
                }
            }
        } catch {
            outcome.error = error
            return outcome
        }
        for index in held.indices { held[index] = 0xAA }
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

/// Decodes one input whole and in chunks, and insists that the outcome is the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 2 else { return 0 }
    let input = UnsafeBufferPointer(start: start, count: count)
    let stream = input.span.extracting(2...)
    var limits = RESPLimits()
    if input[0] & 2 != 0 {
        limits.bulkBytesMax = 200
        limits.lineBytesMax = 50
        limits.elementsMax = 20
        limits.depthMax = 4
        limits.announceAbove = 8
    }
    let decoder = RESPDecoder(role: input[0] & 1 == 0 ? .requests : .replies, limits: limits)
    let whole = decode(stream, decoder, ruins: false) { stream.count }
    var seed = UInt64(input[1])
    let split = decode(stream, decoder, ruins: input[0] & 4 != 0) {
        guard input[1] != 0 else { return 1 }
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return 1 + Int(seed >> 60)
    }
    precondition(whole == split)
    readHeld(stream)
    return 0
}
