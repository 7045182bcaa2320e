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

    /// What the caller does with bytes that were consumed.
    enum Keeping: CaseIterable {
        /// Lets them go: every chunk is decoded from its first byte.
        case nothing
        /// Keeps the current operation and appends to it.
        case frame
        /// Keeps it but overwrites what was consumed, to show that it is not looked at again.
        case ruins
    }

    /// Decodes the chunks one after the other and checks what is true of every call.
    init(
        _ chunks: [ArraySlice<UInt8>], _ role: NATSDecoder.Role, limits: NATSLimits = NATSLimits(),
        keeping: Keeping = .nothing
    ) {
        var decoder = NATSDecoder(role: role, limits: limits)
        var bytes: [UInt8] = []
        var position = 0
        do throws(NATSError) {
            for chunk in chunks {
                if keeping == .nothing || decoder.frameLength == 0 {
                    bytes.removeAll()
                    position = 0
                }
                bytes.append(contentsOf: chunk)
                take: while true {
                    let before = (position: position, frame: decoder.frameLength)
                    let step = try decoder.next(in: bytes.span, at: &position)
                    let consumed = before.frame + position - before.position
                    check(position >= before.position && position <= bytes.count)
                    switch step {
                    case .line(let operation):
                        check(consumed == operation.lineEnd)
                        check(decoder.frameLength == (operation.endsWithLine ? 0 : consumed))
                        check(operation.headerLength <= operation.payloadLength)
                        if operation.endsWithLine { forget(&bytes, &position) }
                    case .headers(let operation):
                        check(consumed == operation.headers.upperBound && operation.kind.hasHeaders)
                        check(decoder.frameLength == consumed)
                    case .ended(let operation):
                        check(consumed == operation.endOffset && decoder.frameLength == 0)
                        forget(&bytes, &position)
                    case .needsMore:
                        check(position == bytes.count && decoder.frameLength == consumed)
                        break take
                    }
                    steps.append(step)
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

    private func forget(_ bytes: inout [UInt8], _ position: inout Int) {
        bytes.removeFirst(position)
        position = 0
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

    private static func printable(_ value: ArraySlice<UInt8>) -> String {
        let shown = value.prefix(64).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            let isPlain = (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\\")
            return isPlain ? String(UnicodeScalar(byte)) : "\\x" + (byte < 16 ? "0" : "") + digits
        }
        return shown.joined() + (value.count > 64 ? "..." : "")
    }
}
