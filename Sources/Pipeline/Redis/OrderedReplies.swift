import DequeModule
import NIOCore

/// What the client is to read, in its order, while a reply in front of it is still being sought elsewhere.
struct OrderedReplies {
    private enum Piece {
        case bytes(ByteBuffer)
        /// The reply that is sought under this number.
        case awaited(UInt64)
        /// Nothing can be said behind this: the connection ends.
        case end
    }

    private var pieces = Deque<Piece>()
    private(set) var byteCount = 0

    /// Nothing is sought, and what comes may go to the client at once.
    var isEmpty: Bool { pieces.isEmpty }

    mutating func append(_ bytes: ByteBuffer?) {
        guard let bytes, bytes.readableBytes > 0, !hasEnd else { return }
        pieces.append(.bytes(bytes))
        byteCount += bytes.readableBytes
    }

    mutating func append(awaited number: UInt64) {
        if !hasEnd { pieces.append(.awaited(number)) }
    }

    mutating func end() {
        if !hasEnd { pieces.append(.end) }
    }

    private var hasEnd: Bool { if case .end? = pieces.last { true } else { false } }

    /// The reply has been found; nil: there will be none, and the connection ends where it would stand.
    mutating func settle(_ number: UInt64, with frame: [UInt8]?) {
        let found = pieces.firstIndex { if case .awaited(number) = $0 { true } else { false } }
        guard let found else { return }
        if let frame {
            pieces[found] = .bytes(ByteBuffer(bytes: frame))
            byteCount += frame.count
        } else {
            pieces.removeSubrange(found...)
            pieces.append(.end)
            byteCount = pieces.reduce(0) { if case .bytes(let bytes) = $1 { $0 + bytes.readableBytes } else { $0 } }
        }
    }

    /// What may go to the client now, and whether the connection ends behind it.
    mutating func takeReady() -> (bytes: ByteBuffer?, ends: Bool) {
        var ready: ByteBuffer?
        while let piece = pieces.first {
            switch piece {
            case .awaited: return (ready, false)
            case .end: return (ready, true)
            case .bytes(let bytes):
                pieces.removeFirst()
                byteCount -= bytes.readableBytes
                if ready == nil { ready = bytes } else { ready?.writeImmutableBuffer(bytes) }
            }
        }
        return (ready, false)
    }
}
