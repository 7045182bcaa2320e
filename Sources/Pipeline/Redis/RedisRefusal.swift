import NIOCore
import Wire

/// Answers a Redis client that gets no upstream: each command with the reason, until one that matters.
///
/// Clients introduce themselves first (CLIENT SETINFO, HELLO, AUTH, SELECT), and some take an error there for an old
/// server and go on. The end comes with the first other command, so that its caller reads why.
struct RedisRefusal: RefusalMachine {
    private let reason: [UInt8]
    private var requests = RESPFrameKeeper(role: .requests)

    private static let nameBytesMax = 1_024

    init(_ reason: String) {
        self.reason = RESPWriter.error("ERR tacho: \(reason)")
    }

    mutating func answer(_ bytes: ByteBuffer) -> (answer: ByteBuffer?, isLast: Bool) {
        var buffer = bytes
        let start = requests.join(&buffer)
        let (answers, isLast) = scan(buffer.readableBytesUInt8Span, from: start)
        guard answers > 0 || isLast else {
            _ = requests.split(buffer, keepAtMost: Self.nameBytesMax)
            return (nil, false)
        }
        _ = requests.split(buffer, keepAtMost: Self.nameBytesMax)
        return (ByteBuffer(bytes: Array(repeatElement(reason, count: max(1, answers)).joined())), isLast)
    }

    private mutating func scan(_ bytes: Span<UInt8>, from start: Int) -> (answers: Int, isLast: Bool) {
        var position = start
        var answers = 0
        while true {
            guard let step = try? requests.decoder.next(in: bytes, at: &position) else { return (answers + 1, true) }
            switch step {
            case .needsMore:
                return (answers, false)
            case .announced:
                continue
            case .token(let token):
                if !requests.isDecided, requests.note(token), requests.tokens.count == 2 {
                    let number = RedisCommandTable.shared.number(bytes, requests.value(token))
                    requests.disposition = Self.introduces(number) ? .pass : .swallow
                }
                guard token.endsFrame else { continue }
                answers += 1
                // An inline command has one token and introduces nobody.
                let goesOn = requests.disposition == .pass
                requests.endFrame(at: position)
                if !goesOn { return (answers, true) }
            }
        }
    }

    private static func introduces(_ number: RedisCommandTable.Number) -> Bool {
        let command = RedisCommandTable.shared.commands[Int(number)]
        switch command.kind {
        case .client, .hello, .select: return true
        case .plain: return command.name == "AUTH"
        case .publishEntry, .publishMessage, .read, .readGroup, .range, .claim, .autoClaim, .inspect, .acknowledge,
            .delete, .subscribe, .unsubscribe, .begin, .execute, .discard, .reset, .monitor, .replicate:
            return false
        }
    }
}
