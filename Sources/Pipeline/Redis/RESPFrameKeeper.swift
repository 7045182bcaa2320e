import NIOCore
import Wire

/// One direction of a session: the decoder, and the bytes of the unfinished frame while it is worth keeping them.
///
/// A frame starts undecided and is kept. Once it is clear that nobody will edit it, it passes: its bytes go on as they
/// come, and only the decoder follows it to its end. A kept frame that outgrows the limit passes too.
struct RESPFrameKeeper {
    enum Disposition {
        /// Not enough is known of the frame yet.
        case undecided
        /// The whole frame has to be seen.
        case keep
        /// The bytes need not be seen again.
        case pass
        /// The frame is refused: its bytes go nowhere.
        case swallow
    }

    var decoder: RESPDecoder
    private(set) var tokens: [RESPToken] = []
    var disposition = Disposition.undecided
    /// Where the current frame starts in the buffer at hand; meaningless for a frame that passes.
    private(set) var frameStart = 0
    private var kept: ByteBuffer?
    /// Bytes at the end of what is kept that the decoder has not seen.
    private var unscanned = 0

    /// Tokens of one frame that are remembered; a frame with more of them passes unedited.
    static let tokensMax = 32_768
    /// Enough for a reply of two hundred entries, 80 KiB for a connection that reads such replies: growing the list anew
    /// for each of them would be the only memory that they need.
    private static let tokensKept = 2_048

    init(role: RESPDecoder.Role) {
        decoder = RESPDecoder(role: role)
    }

    /// Nothing will be looked up in the bytes of the current frame any more.
    var isDecided: Bool { disposition == .pass || disposition == .swallow }

    /// Whether an unfinished frame that is kept would outgrow `limit`.
    func outgrows(_ buffer: ByteBuffer, _ limit: Int) -> Bool {
        isInsideFrame && !isDecided && buffer.readableBytes - frameStart > limit
    }

    /// Whether a frame has begun that has not ended.
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

    /// Keeps the current frame, which ends at `position`, and all that follows it, until its turn comes.
    mutating func hold(_ buffer: ByteBuffer, endedAt position: Int) {
        kept = buffer.getSlice(at: buffer.readerIndex + frameStart, length: buffer.readableBytes - frameStart)
        unscanned = buffer.readableBytes - position
    }

    /// Puts more bytes behind what is held.
    mutating func hold(more bytes: ByteBuffer) {
        var held = kept ?? ByteBuffer()
        held.writeImmutableBuffer(bytes)
        kept = held
        unscanned += bytes.readableBytes
    }

    /// Notes a token of the current frame. False when there are too many to remember.
    mutating func note(_ token: RESPToken) -> Bool {
        guard tokens.count < Self.tokensMax else { return false }
        tokens.append(token)
        return true
    }

    /// The current frame has ended at `position` of the buffer at hand.
    mutating func endFrame(at position: Int) {
        frameStart = position
        disposition = .undecided
        // One large frame must not leave its room behind for the life of the connection.
        tokens.removeAll(keepingCapacity: tokens.count <= Self.tokensKept)
    }

    /// Ends a read: how many bytes of `buffer` go on now. The others belong to an unfinished frame that has to be seen
    /// whole and are kept, unless they are more than `limit`; a `limit` of nil keeps nothing.
    mutating func split(_ buffer: ByteBuffer, keepAtMost limit: Int?) -> (passing: Int, isTooLarge: Bool) {
        let count = buffer.readableBytes
        guard let limit, isInsideFrame, disposition != .pass, frameStart < count else { return (count, false) }
        guard disposition != .swallow else { return (frameStart, false) }
        guard count - frameStart <= limit else {
            disposition = .pass
            return (count, true)
        }
        kept = buffer.getSlice(at: buffer.readerIndex + frameStart, length: count - frameStart)
        return (frameStart, false)
    }

    /// Where the value of a token lies in the buffer at hand.
    @inline(__always)
    func value(_ token: RESPToken) -> Range<Int> {
        let start = frameStart &+ token.valueOffset
        return start..<(start &+ max(0, token.length))
    }
}
