public import NIOCore

/// One client connection and its upstream connection, seen from the protocol: what the IO shell drives.
///
/// Every input is one call that returns what is to be written. The machine never waits, never writes and never fails:
/// when it no longer understands the bytes it becomes opaque and passes them on.
public protocol SessionMachine: SendableMetatype {
    /// What all sessions of one listener on one event loop count into.
    associatedtype Counters: SessionCounters

    init(lane: Lane, listener: ListenerProfile, counters: Counters, peer: ClientPeer)
    mutating func receiveFromClient(_ bytes: ByteBuffer, at now: Instant) -> SessionOutput
    mutating func receiveFromUpstream(_ bytes: ByteBuffer, at now: Instant) -> SessionOutput
    /// One side will send nothing more: what was kept of an unfinished frame goes on as it is.
    mutating func clientFinished(at now: Instant) -> SessionOutput
    mutating func upstreamFinished(at now: Instant) -> SessionOutput
    /// Both connections are gone: whatever is still open ends now.
    mutating func closed(at now: Instant)
    /// About ten times a second: what has waited too long for its reply is noticed now.
    mutating func tick(at now: Instant) -> SessionOutput
    /// The upstream has gone while the client was still there: what waits for a reply will get none from it.
    mutating func upstreamLost(at now: Instant) -> SessionOutput
    /// There is something that the client is to be told although the upstream may be lost. Once it is, the session ends
    /// by itself.
    var outlivesUpstream: Bool { get }
    /// While this is true, the machine holds back replies and is to be given no more of them.
    var holdsReplies: Bool { get }
    /// The guard of the upstream waits for word of this connection. True: the machine tells it, once it knows.
    mutating func take(_ permit: ConnectionPermit, at now: Instant) -> Bool
    /// While this is set, `resume` is called at this moment of the monotonic clock. It is looked at after every call.
    ///
    /// `mutating`, so that a machine that is the property of a class is asked in place and not copied, every reference in it
    /// counted up and down, with each read.
    var resumesAt: UInt64? { mutating get }
    /// The machine holds back bytes of the client and is to be given no more of them; `resumesAt` is set then.
    var holdsClient: Bool { mutating get }
    /// The moment has come, or something that the machine waits for has happened.
    mutating func resume(at now: Instant) -> SessionOutput
    /// What came of one of the `detours` of an earlier output.
    mutating func returned(_ outcome: DetourOutcome, at now: Instant) -> SessionOutput
    /// A session for a client that gets no upstream, which stores what it can; nil where nothing is stored.
    static func detached(
        lane: Lane, listener: ListenerProfile, counters: Counters, peer: ClientPeer, reason: String
    ) -> Self?
    /// The client had better come again. Looked at about once a second.
    var isOver: Bool { get }
    /// Nothing is under way that a polite shutdown should wait for.
    var isIdle: Bool { get }
    /// What a client is told, in its own protocol, when there is no upstream. `reason` is for people.
    static func refusal(_ reason: String) -> ByteBuffer
    /// Answers a client that gets no upstream.
    static func refusing(_ reason: String) -> any RefusalMachine
    /// Whether the upstream begins the conversation. A client then waits for a greeting, and a refusal for no question.
    static var upstreamSpeaksFirst: Bool { get }
}

extension SessionMachine {
    /// In most protocols the client asks first.
    public static var upstreamSpeaksFirst: Bool { false }
    /// Watches no replies.
    public mutating func tick(at now: Instant) -> SessionOutput { .nothing }
    /// Has nothing to say about it.
    public mutating func upstreamLost(at now: Instant) -> SessionOutput { .nothing }
    /// What the upstream does not say nobody says.
    public var outlivesUpstream: Bool { false }
    /// Holds nothing back.
    public var holdsReplies: Bool { false }
    /// Whoever opened the connection says that it is open.
    public mutating func take(_ permit: ConnectionPermit, at now: Instant) -> Bool { false }
    /// One answer, to whatever comes first.
    public static func refusing(_ reason: String) -> any RefusalMachine { SingleRefusal(answer: refusal(reason)) }
    /// Sends nothing on a detour.
    public mutating func returned(_ outcome: DetourOutcome, at now: Instant) -> SessionOutput { .nothing }
    /// Nothing is stored.
    public static func detached(
        lane: Lane, listener: ListenerProfile, counters: Counters, peer: ClientPeer, reason: String
    ) -> Self? { nil }
    /// Lasts as long as its connections.
    public var isOver: Bool { false }
    /// Never holds anything back.
    public var resumesAt: UInt64? { nil }
    /// Whoever waits for a moment holds the client back until then.
    public var holdsClient: Bool { mutating get { resumesAt != nil } }
    /// Holds nothing back, so there is nothing to go on with.
    public mutating func resume(at now: Instant) -> SessionOutput { .nothing }
}

/// The protocol's own counters, apart from those of the lane.
public protocol SessionCounters: AnyObject {
    init(lane: Lane, listener: ListenerProfile)
}

/// What one input leads to.
public struct SessionOutput: Sendable {
    /// Bytes to be written to the upstream; nil for none.
    public var toUpstream: ByteBuffer?
    /// Bytes to be written to the client; nil for none.
    public var toClient: ByteBuffer?
    /// The session has just become opaque; said once, for the log.
    public var becameOpaque: OpaqueReason?
    /// Sides whose TLS handshake begins behind the bytes of this output, which are still plain. Said once per side, and
    /// only where `ListenerProfile.tls` says `afterGreeting`; the client is not read before. Whatever the upstream has
    /// sent behind its greeting is not protected and must be dropped by the session.
    public var startTLS: TLSSides = []
    /// Other addresses of the same upstream, `HOST:PORT` each, as it has just named them; nil = it said nothing of them.
    public var alternatives: [String]?
    /// Commands that others are to take; what they say is for `returned`.
    public var detours: [Detour] = []
    /// Going on would show the client replies in a wrong order: both connections are closed once the bytes are out.
    public var endsSession = false

    /// By default nothing at all.
    public init(toUpstream: ByteBuffer? = nil, toClient: ByteBuffer? = nil, becameOpaque: OpaqueReason? = nil) {
        self.toUpstream = toUpstream
        self.toClient = toClient
        self.becameOpaque = becameOpaque
    }

    /// What follows it, as if both had come of one input.
    mutating func append(_ later: SessionOutput) {
        Self.append(later.toUpstream, to: &toUpstream)
        Self.append(later.toClient, to: &toClient)
        becameOpaque = becameOpaque ?? later.becameOpaque
        startTLS.formUnion(later.startTLS)
        alternatives = later.alternatives ?? alternatives
        detours += later.detours
        endsSession = endsSession || later.endsSession
    }

    private static func append(_ later: ByteBuffer?, to bytes: inout ByteBuffer?) {
        guard let later else { return }
        if bytes == nil { bytes = later } else { bytes?.writeImmutableBuffer(later) }
    }

    /// Nothing to write and nothing to say.
    public static let nothing = SessionOutput()
}

/// Why a session's bytes are no longer looked at (`tacho_sessions_opaque_total{reason}`).
public enum OpaqueReason: String, Sendable, CaseIterable {
    case malformedRequest = "malformed_request"
    case malformedReply = "malformed_reply"
    /// A reply came that no command had asked for.
    case unexpectedReply = "unexpected_reply"
    /// EXEC answered with another number of replies than commands were queued.
    case transactionMismatch = "transaction_mismatch"
    /// A subscription inside a transaction breaks the framing of the EXEC reply.
    case subscriptionInTransaction = "subscription_in_transaction"
    /// A subscription, or its confirmation, was too large to be looked at: how many replies belong to it is not known.
    case subscriptionTooLarge = "subscription_too_large"
    /// A replica took the connection over.
    case replication
    /// Client and upstream have agreed to encrypt between themselves.
    case encrypted
    /// More commands are waiting for replies than are followed.
    case pendingLimit = "pending_limit"
}
