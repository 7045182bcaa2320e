import Testing
import Wire

/// What decoding some bytes came to, however they arrived.
struct NATSTranscript: Equatable {
    var steps: [NATSDecoder.Step] = []
    var error: NATSError?
    /// Bytes of an unfinished operation.
    var frameLength = 0
    /// How many calls of `next` did not keep to what it promises.
    var breaches = 0

    /// Decodes the chunks one after the other and checks what is true of every call.
    init(
        _ chunks: [ArraySlice<UInt8>], _ role: NATSDecoder.Role, limits: NATSLimits = NATSLimits(),
        keeping: Keeping = .nothing
    ) {
        var decoder = NATSDecoder(role: role, limits: limits)
        var held = HeldBytes(keeping)
        var position = 0
        do throws(NATSError) {
            for chunk in chunks {
                held.append(chunk, isInsideFrame: decoder.frameLength > 0, &position)
                take: while true {
                    let before = (position: position, frame: decoder.frameLength)
                    let step = try decoder.next(in: held.bytes.span, at: &position)
                    let consumed = before.frame + position - before.position
                    check(position >= before.position && position <= held.bytes.count)
                    switch step {
                    case .line(let operation):
                        check(consumed == operation.lineEnd)
                        check(decoder.frameLength == (operation.endsWithLine ? 0 : consumed))
                        check(operation.headerLength <= operation.payloadLength)
                        if operation.endsWithLine { held.endFrame(&position) }
                    case .headers(let operation):
                        check(consumed == operation.headers.upperBound && operation.kind.hasHeaders)
                        check(decoder.frameLength == consumed)
                    case .ended(let operation):
                        check(consumed == operation.endOffset && decoder.frameLength == 0)
                        held.endFrame(&position)
                    case .needsMore:
                        check(position == held.bytes.count && decoder.frameLength == consumed)
                        break take
                    }
                    steps.append(step)
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

    var operations: [NATSOperation] {
        steps.compactMap { step in
            switch step {
            case .line(let operation): operation.endsWithLine ? operation : nil
            case .ended(let operation): operation
            case .headers, .needsMore: nil
            }
        }
    }

    /// One line per operation, and under it one per header, as the fixtures write them.
    static func lines(_ bytes: [UInt8], _ role: NATSDecoder.Role) -> [String] {
        let transcript = NATSTranscript([bytes[...]], role)
        var lines: [String] = []
        var start = 0
        for operation in transcript.operations {
            let frame = Array(bytes[start..<start + operation.endOffset])
            lines += describe(operation, frame)
            start += operation.endOffset
        }
        if let error = transcript.error { lines.append("error \(error.rawValue)") }
        return lines
    }

    private static func describe(_ operation: NATSOperation, _ frame: [UInt8]) -> [String] {
        var said = ["\(operation.kind) \(operation.endOffset)"]
        func say(_ name: String, _ range: Range<Int>) {
            if !range.isEmpty { said.append("\(name) \(printable(frame[range]))") }
        }
        switch operation.kind {
        case .pub, .hpub, .msg, .hmsg:
            say("subject", operation.subject)
            say("sid", operation.sid)
            say("reply", operation.reply)
            said.append("headers \(operation.headerLength) body \(operation.body.count)")
            if !operation.body.isEmpty { said.append(printable(frame[operation.body])) }
        case .sub:
            say("subject", operation.subject)
            say("queue", operation.queue)
            say("sid", operation.sid)
        case .unsub:
            say("sid", operation.sid)
            said.append("max \(operation.messagesMax)")
        case .info, .connect, .error:
            said.append(printable(frame[operation.text]))
        case .ping, .pong, .ok: break
        }
        return [trimmed(said.joined(separator: " "))] + headers(operation, frame)
    }

    private static func headers(_ operation: NATSOperation, _ frame: [UInt8]) -> [String] {
        guard operation.headerLength > 0, var headers = NATSHeaders(frame.span, in: operation.headers) else {
            return []
        }
        var lines: [String] = []
        if headers.status != 0 {
            lines.append(trimmed("  status \(headers.status) \(printable(frame[headers.statusText]))"))
        }
        while let line = headers.nextLine(frame.span) {
            lines.append(trimmed("  \(printable(frame[line.name])) = \(printable(frame[line.value]))"))
        }
        return lines
    }

    private static func trimmed(_ line: String) -> String {
        var line = line
        while line.last == " " { line.removeLast() }
        return line
    }
}
