// A libFuzzer target, compiled into one module with Sources/Wire by `scripts/fuzz nats`.
//
// Input: one byte of choices (bit 0: what servers send, bit 1: small limits, bit 2: overwrite what was consumed), one
// byte that seeds the split points, then the stream. A finding is a trap, a call that breaks the contract of `next`, or
// a split that changes the outcome. Held readers get the same bytes: they must only not trap, and keep to their range.

/// What a run came to, in a form that two runs can be compared in.
private struct Outcome: Equatable {
    var steps: [NATSDecoder.Step] = []
    var error: NATSError?
}

/// Decodes chunk by chunk; `nextLength` says how long the next chunk is.
private func decode(
    _ stream: Span<UInt8>, _ decoder: NATSDecoder, ruins: Bool, nextLength: () -> Int
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
        do throws(NATSError) {
            taking: while true {
                let before = (position: position, frame: decoder.frameLength)
                let step = try decoder.next(in: held.span, at: &position)
                let consumed = before.frame + position - before.position
                precondition(position >= before.position && position <= held.count)
                switch step {
                case .line(let operation):
                    precondition(consumed == operation.lineEnd)
                    precondition(operation.headerLength <= operation.payloadLength)
                    precondition(operation.subject.upperBound <= consumed && operation.reply.upperBound <= consumed)
                    precondition(operation.sizes.upperBound <= consumed && operation.text.upperBound <= consumed)
                case .headers(let operation): precondition(consumed == operation.headers.upperBound)
                case .ended(let operation): precondition(consumed == operation.endOffset && decoder.frameLength == 0)
                case .needsMore:
                    precondition(position == held.count)
                    break taking
                }
                outcome.steps.append(step)
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
    _ = ASCIIText.unsigned(stream, in: all)
    if var headers = NATSHeaders(stream, in: all) {
        while let line = headers.nextLine(stream) {
            precondition(line.name.lowerBound >= 0 && line.value.upperBound <= stream.count)
            precondition(
                line.whole.lowerBound <= line.name.lowerBound && line.value.upperBound <= line.whole.upperBound)
        }
    }
    if let place = NATSHeaders.endOfLines(stream, in: all) { precondition(place < stream.count) }
    if var members = JSONMembers(stream, in: all) {
        while let member = members.next(stream) {
            precondition(member.whole.lowerBound >= 0 && member.whole.upperBound <= stream.count)
            _ = JSONMembers.text(member, stream)
        }
    }
}

/// Decodes one input whole and in chunks, and insists that the outcome is the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 2 else { return 0 }
    let input = UnsafeBufferPointer(start: start, count: count)
    let stream = input.span.extracting(2...)
    var limits = NATSLimits()
    if input[0] & 2 != 0 {
        limits.lineBytesMax = 60
        limits.payloadBytesMax = 100
    }
    let decoder = NATSDecoder(role: input[0] & 1 == 0 ? .client : .server, limits: limits)
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
