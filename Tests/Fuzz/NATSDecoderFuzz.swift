// A libFuzzer target, compiled into one module with Sources/Wire by `scripts/fuzz nats`. `FuzzInput` says what an input is;
// the other direction is what servers send.
//
// A finding is a trap, a call that breaks the contract of `next`, or a split that changes the outcome. Held readers get the
// same bytes: they must only not trap, and keep to their range.

/// What a run came to, in a form that two runs can be compared in.
private struct Outcome: Equatable {
    var steps: [NATSDecoder.Step] = []
    var error: NATSError?
}

/// Decodes the input, whole or in pieces.
private func decode(_ input: FuzzInput, _ decoder: NATSDecoder, inPieces: Bool) -> Outcome {
    var decoder = decoder
    var outcome = Outcome()
    input.feed(inPieces: inPieces) { held, position in
        do throws(NATSError) {
            while true {
                let before = (position: position, frame: decoder.frameLength)
                let step = try decoder.next(in: held, at: &position)
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
                    return true
                }
                outcome.steps.append(step)
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

/// Decodes one input whole and in pieces, and insists that the outcome is the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard let input = FuzzInput(start, count) else { return 0 }
    var limits = NATSLimits()
    if input.hasSmallLimits {
        limits.lineBytesMax = 60
        limits.payloadBytesMax = 100
    }
    let decoder = NATSDecoder(role: input.isOtherDirection ? .server : .client, limits: limits)
    precondition(decode(input, decoder, inPieces: false) == decode(input, decoder, inPieces: true))
    readHeld(input.stream.span)
    return 0
}
