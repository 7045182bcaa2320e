import NIOCore
import Wire

/// One direction of a NATS session: the decoder, and the bytes of the operation under way while they are worth keeping.
///
/// A control line, and a header block behind it, are kept until it is clear whether they are edited. What follows mostly
/// passes: its bytes go on as they come, and only the decoder follows them to the end. Only a payload that has to be
/// read, which is a small one, is kept to its end. What outgrows the limit passes too.
struct NATSFrameKeeper {
    enum Disposition {
        /// The bytes may be edited, or have to be seen together.
        case keep
        /// The bytes need not be seen again.
        case pass
        /// The bytes do not go on.
        case swallow
    }

    var decoder: NATSDecoder
    var disposition = Disposition.keep
    /// Where the current operation starts in the buffer at hand; meaningless for one that passes.
    private(set) var frameStart = 0
    private var kept: ByteBuffer?
    /// Bytes at the end of what is kept that the decoder has not seen.
    private var unscanned = 0

    init(role: NATSDecoder.Role) {
        decoder = NATSDecoder(role: role)
    }

    /// Whether an operation has begun that has not ended.
    var isInsideFrame: Bool { decoder.frameLength > 0 }

    /// Puts what was kept in front of what has arrived. Returns where the unscanned bytes start.
    mutating func join(_ bytes: inout ByteBuffer) -> Int {
        frameStart = 0
        guard var joined = kept else { return 0 }
        kept = nil
        let scanned = joined.readableBytes - unscanned
        unscanned = 0
        joined.writeBuffer(&bytes)
        bytes = joined
        return scanned
    }

    /// Keeps the current operation, of which the decoder has read what lies before `position`, and all that follows it,
    /// until its turn comes.
    mutating func hold(_ buffer: ByteBuffer, readUpTo position: Int) {
        kept = buffer.getSlice(at: buffer.readerIndex + frameStart, length: buffer.readableBytes - frameStart)
        unscanned = buffer.readableBytes - position
    }

    /// Puts more bytes behind what is held.
    mutating func hold(more bytes: ByteBuffer) {
        if kept == nil { kept = bytes } else { kept?.writeImmutableBuffer(bytes) }
        unscanned += bytes.readableBytes
    }

    /// The current operation has ended at `position` of the buffer at hand.
    @inline(__always)
    mutating func endFrame(at position: Int) {
        frameStart = position
        disposition = .keep
    }

    /// Ends a read: how many bytes of `buffer` go on now. The others belong to an unfinished operation that has to be
    /// seen together and are kept, unless they are more than `limit`; a `limit` of nil keeps nothing.
    mutating func split(_ buffer: ByteBuffer, keepAtMost limit: Int?) -> (passing: Int, isTooLarge: Bool) {
        let count = buffer.readableBytes
        guard let limit, isInsideFrame, disposition == .keep, frameStart < count else { return (count, false) }
        guard count - frameStart <= limit else {
            disposition = .pass
            return (count, true)
        }
        kept = buffer.getSlice(at: buffer.readerIndex + frameStart, length: count - frameStart)
        return (frameStart, false)
    }

    /// Where a piece of the current operation lies in the buffer at hand.
    @inline(__always)
    func place(_ range: Range<Int>) -> Range<Int> {
        range.lowerBound &+ frameStart..<range.upperBound &+ frameStart
    }
}
