import NIOCore
import Wire

/// One whole reply of a Redis, for connections of the sidecar's own: those speak RESP2 and ask for little.
enum RedisReply: Equatable, Sendable {
    case null
    case text([UInt8])
    case integer(Int)
    case failure([UInt8])
    case array([RedisReply])

    var text: [UInt8]? { if case .text(let bytes) = self { bytes } else { nil } }
    var array: [RedisReply]? { if case .array(let elements) = self { elements } else { nil } }
    var integer: Int? { if case .integer(let number) = self { number } else { nil } }
}

/// Puts replies together, however their bytes were split.
struct RedisReplyReader {
    private var decoder = RESPDecoder(role: .replies)
    private var kept: [UInt8] = []
    /// Where the reply at hand begins in `kept`; what is in front of it is over.
    private var start = 0
    private var scanned = 0
    private var tokens: [RESPToken] = []

    /// A page of a hundred entries, or one large one.
    private static let bytesMax = 64 << 20

    mutating func append(_ bytes: ByteBuffer) {
        if start > 0 {
            kept.removeFirst(start)
            scanned -= start
            start = 0
        }
        kept.append(contentsOf: bytes.readableBytesView)
    }

    /// The next whole reply; nil until it is there. Throws for what is no reply, or too much.
    mutating func next() throws(RESPError) -> RedisReply? { try nextEnd()?.reply }

    /// The same with its bytes as they came.
    mutating func nextFrame() throws(RESPError) -> (frame: [UInt8], reply: RedisReply)? {
        let begin = start
        guard let (reply, end) = try nextEnd() else { return nil }
        return (Array(kept[begin..<end]), reply)
    }

    private mutating func nextEnd() throws(RESPError) -> (reply: RedisReply, end: Int)? {
        while true {
            var (decoder, position) = (decoder, scanned)
            let step = try decoder.next(in: kept.span, at: &position)
            (self.decoder, scanned) = (decoder, position)
            switch step {
            case .needsMore:
                guard kept.count - start <= Self.bytesMax else { throw .bulkTooLong }
                return nil
            case .announced(let token):
                guard token.length <= Self.bytesMax else { throw .bulkTooLong }
            case .token(let token):
                tokens.append(token)
                guard token.endsFrame else { continue }
                var index = 0
                let reply = element(&index)
                tokens.removeAll(keepingCapacity: true)
                start = scanned
                return (reply, scanned)
            }
        }
    }

    /// As deep as the decoder permits.
    private func element(_ index: inout Int) -> RedisReply {
        guard index < tokens.count else { return .null }
        let token = tokens[index]
        index += 1
        switch token.kind {
        case .simpleString, .bulkString, .verbatimString, .double, .bigNumber, .boolean:
            return token.length < 0 ? .null : .text(Array(kept[value(token)]))
        case .integer:
            return RESPText.integer(kept.span, in: value(token)).map { .integer($0) } ?? .null
        case .error, .bulkError:
            return .failure(Array(kept[value(token)]))
        case .array, .set, .push, .map, .attribute:
            guard token.length >= 0 else { return .null }
            let count = token.kind == .map || token.kind == .attribute ? token.length * 2 : token.length
            var elements: [RedisReply] = []
            for _ in 0..<count where index < tokens.count { elements.append(element(&index)) }
            return .array(elements)
        case .null, .streamEnd, .streamPart, .inlineCommand:
            return .null
        }
    }

    private func value(_ token: RESPToken) -> Range<Int> {
        start + token.valueRange.lowerBound..<start + token.valueRange.upperBound
    }
}
