/// Turns a stream of RESP bytes into tokens, resumably: every byte is looked at once, however the stream was split.
///
/// The decoder owns no bytes. The caller hands it whatever has arrived, takes tokens until `needsMore`, and decides by
/// itself whether the bytes of the current frame are kept (because they may be edited) or let go. It knows nothing of
/// commands or replies beyond the two roles: requests may be inline commands.
public struct RESPDecoder: Sendable {
    /// Which direction of a connection is decoded.
    public enum Role: Sendable {
        /// What clients send: arrays of bulk strings, or inline commands.
        case requests
        /// What servers send: every RESP2 and RESP3 type.
        case replies
    }

    public enum Step: Equatable, Sendable {
        /// A token is complete; its bytes end at the position.
        case token(RESPToken)
        /// A bulk longer than `RESPLimits.announceAbove` has begun and its payload is not all here. Said once per
        /// bulk; its `.token` follows when it is complete. Lets the caller stop keeping a frame it would not edit.
        case announced(RESPToken)
        /// All bytes were consumed; the state is kept for the next call.
        case needsMore
    }

    /// Bytes of the current, unfinished frame that were consumed so far; 0 between frames.
    public private(set) var frameLength = 0

    public init(role: Role, limits: RESPLimits = RESPLimits()) {
    }

    /// Consumes bytes from `position` on, up to and including the next token.
    ///
    /// Throws `RESPError` when the bytes are not RESP or pass a limit; the decoder is of no use afterwards.
    public mutating func next(in bytes: Span<UInt8>, at position: inout Int) throws(RESPError) -> Step {
        position = bytes.count
        return .needsMore
    }
}
