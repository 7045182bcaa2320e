public import NIOCore
import Resilience
import Telemetry
import Wire

/// One NATS client connection with its upstream connection: finds the messages in both directions and takes them through
/// the lane's stages.
///
/// Responsible for: the handshake as each side is to see it, which subscription a message came by, which message answers
/// which, and which bytes are edited. Not responsible for: what becomes of a message (`Lane`), or any IO.
///
/// NATS answers nothing that is published, except to a verbose client, whose `+OK` need not be matched: nothing is ever
/// added to what is sent, so they stay right by themselves. What is waited for are messages: the reply to a request.
public struct NATSSession: SessionMachine {
    let lane: Lane
    let listener: ListenerProfile
    let counters: NATSCounters
    var requests = NATSFrameKeeper(role: .client)
    var deliveries = NATSFrameKeeper(role: .server)
    var splices = SpliceList()
    var subscriptions = NATSSubscriptions()
    /// Answers that the client waits for.
    var awaited = NATSAwaited()
    /// Answers that others wait for from the client.
    var openAnswers = NATSOpenAnswers()
    var fetches = NATSFetches()
    /// Of the last INFO.
    var server = NATSServerInfo.unknown
    var hasGreeted = false
    /// The client reads no headers, the server sends them all the same: they end here.
    var removesHeaders = false
    /// The client reads headers, or they are removed for it.
    var takesHeaders = false
    /// Where servers tell the way of messages, if they are asked to.
    var path: NATSPathInbox?
    /// The client wants a `+OK` for all that it sends.
    var isVerbose = false
    /// What we answer ourselves, while a message of the server is on its way.
    var answers: [UInt8] = []
    /// The `name` of CONNECT.
    var client = NameID.none
    /// Which message a published one may come from.
    var causality: Causality
    /// The message at hand waits for a place, and everything behind it with it.
    var hold: HeldCall?
    /// The piece of it at which it waits.
    var heldPiece = HeldPiece.line
    /// The client has gone: nothing waits any more.
    var isBypassed = false
    /// Publishes that may be sent again.
    var kept = NATSKeptPublishes()
    /// What is sent again, while an operation of the client is on its way.
    var resends: [UInt8] = []
    /// What concerns the spool.
    var spooling = Spooling()
    /// Tells the deliveries to this connection from those to others.
    let connection: UInt64
    private(set) var opaque: OpaqueReason?
    /// What the input at hand leads to beside bytes.
    var output = SessionOutput()

    /// A session that stands before the first byte of both directions.
    public init(lane: Lane, listener: ListenerProfile, counters: NATSCounters, peer: ClientPeer = .unknown) {
        self.lane = lane
        self.listener = listener
        self.counters = counters
        causality = Causality(lane.shared.causality, peer, lane.shared.clients)
        connection = lane.identifiers.next()
    }

    /// The server greets with INFO.
    public static var upstreamSpeaksFirst: Bool { true }

    /// No request waits for its answer and no operation is half here; an opaque session cannot know and counts as idle.
    public var isIdle: Bool {
        opaque != nil
            || (awaited.isEmpty && hold == nil && spooling.underWay.isEmpty && !requests.isInsideFrame
                && !deliveries.isInsideFrame)
    }

    /// An error of the protocol, `-ERR 'tacho: reason'`, behind which the connection ends.
    public static func refusal(_ reason: String) -> ByteBuffer {
        ByteBuffer(bytes: NATSWriter.error("tacho: \(reason)"))
    }

    /// Operations on their way to the server.
    public mutating func receiveFromClient(_ bytes: ByteBuffer, at now: Instant) -> SessionOutput {
        guard hold == nil else {
            requests.hold(more: bytes)
            return .nothing
        }
        var buffer = bytes
        let start = requests.join(&buffer)
        return takeRequests(buffer, from: start, at: now)
    }

    /// Bytes of the client, of which those before `start` have been read already.
    mutating func takeRequests(_ buffer: ByteBuffer, from start: Int, at now: Instant) -> SessionOutput {
        guard opaque == nil else { return SessionOutput(toUpstream: buffer) }
        output = SessionOutput()
        do throws(NATSError) {
            try scanRequests(buffer.readableBytesUInt8Span, from: start, at: now)
        } catch {
            turnOpaque(isTLS(buffer) ? .encrypted : .malformedRequest, at: now)
        }
        if output.endsSession { return output }
        if let position = hold?.position {
            requests.hold(buffer, readUpTo: position)
            output.toUpstream = release(buffer, requests.frameStart)
            output.toClient = takeAnswers()
            return output
        }
        let split = requests.split(buffer, keepAtMost: opaque == nil ? listener.frameBytesMax : nil)
        if split.isTooLarge { counters.uneditedTooLarge.add(1) }
        if requests.disposition == .swallow, requests.isInsideFrame {
            swallow(requests, through: buffer.readableBytes)
        }
        output.toUpstream = release(buffer, split.passing)
        output.toClient = takeAnswers()
        return output
    }

    /// Messages on their way to the client.
    public mutating func receiveFromUpstream(_ bytes: ByteBuffer, at now: Instant) -> SessionOutput {
        let wasHolding = hold != nil
        let output = takeDeliveries(bytes, at: now)
        return wasHolding ? goOn(after: output, at: now) : output
    }

    private mutating func takeDeliveries(_ bytes: ByteBuffer, at now: Instant) -> SessionOutput {
        var buffer = bytes
        let start = deliveries.join(&buffer)
        guard opaque == nil else { return SessionOutput(toClient: buffer) }
        output = SessionOutput()
        do throws(NATSError) {
            try scanDeliveries(buffer.readableBytesUInt8Span, from: start, at: now)
        } catch {
            turnOpaque(.malformedReply, at: now)
        }
        if output.endsSession { return output }
        if output.startTLS.contains(.upstream) {
            // Nothing behind a plain greeting may be believed.
            output.toClient = release(buffer, deliveries.frameStart)
            return output
        }
        // A header block that the client cannot read must not pass, however long it is.
        let most = removesHeaders ? max(listener.frameBytesMax, server.payloadMax) : listener.frameBytesMax
        let split = deliveries.split(buffer, keepAtMost: opaque == nil ? most : nil)
        if split.isTooLarge { counters.uneditedTooLarge.add(1) }
        if deliveries.disposition == .swallow, deliveries.isInsideFrame {
            swallow(deliveries, through: buffer.readableBytes)
        }
        output.toClient = release(buffer, split.passing)
        return output
    }

    /// What was kept of an unfinished message.
    public mutating func upstreamFinished(at now: Instant) -> SessionOutput {
        var rest = ByteBuffer()
        _ = deliveries.join(&rest)
        return SessionOutput(toClient: rest.readableBytes > 0 ? rest : nil)
    }

    /// Ends what still waits for an answer as disconnected.
    public mutating func closed(at now: Instant) {
        endSpooling(at: now)
        abandon(as: .disconnected, at: now)
        causality.closed()
    }

    /// Ends what has waited too long.
    public mutating func tick(at now: Instant) -> SessionOutput {
        for fetch in fetches.expire(at: now) { end(fetch, .succeeded, at: now) }
        countOverdue(at: now)
        if !kept.isEmpty { kept.keepOnly { awaited.contains($0) } }
        let limit = lane.shared.deliveries.unsettledNanoseconds
        if now.monotonicNanoseconds > limit {
            for question in awaited.expire(since: now.monotonicNanoseconds - limit) {
                giveUp(question, as: .unsettled, at: now)
            }
        }
        return tellLateSpooling(at: now)
    }

    /// What waits for an answer has failed, as far as the guards are concerned.
    public mutating func upstreamLost(at now: Instant) -> SessionOutput {
        _ = kept.removeAll()
        for ticket in awaited.takeTickets(since: .max) {
            lane.completed(ticket, .failed(.connection), latency: nil, listener)
        }
        return .nothing
    }

    // MARK: Becoming opaque

    mutating func turnOpaque(_ reason: OpaqueReason, at now: Instant) {
        guard opaque == nil else { return }
        opaque = reason
        output.becameOpaque = reason
        counters.opaque[reason]?.add(1)
        // The rest of a message that was taken out must not pass, nor headers that the client cannot read.
        if requests.disposition == .swallow || deliveries.disposition == .swallow || removesHeaders {
            output.endsSession = true
        }
        abandon(as: .unobserved, at: now)
    }

    /// Ends every open operation without knowing how it went.
    private mutating func abandon(as outcome: SpanOutcome, at now: Instant) {
        lane.endWait(&hold)
        resends = []
        for publish in kept.removeAll() where publish.dueAt != nil && !removesHeaders { answers += publish.answer }
        abandonSpooling(at: now)
        for fetch in fetches.removeAll() { end(fetch, .succeeded, at: now) }
        for question in awaited.removeAll() { giveUp(question, as: outcome, at: now) }
    }

    /// A client that was told to encrypt, and does so with the server itself.
    private func isTLS(_ buffer: ByteBuffer) -> Bool {
        requests.frameStart == 0 && buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == 0x16
    }

    /// The first `count` bytes, edited if an edit was noted. An edit is only ever noted for bytes that pass.
    private mutating func release(_ buffer: ByteBuffer, _ count: Int) -> ByteBuffer? {
        guard count > 0 else { return nil }
        if !splices.isEmpty {
            let edited = splices.apply(to: buffer, count: count)
            return edited.readableBytes > 0 ? edited : nil
        }
        if count == buffer.readableBytes { return buffer }
        return buffer.getSlice(at: buffer.readerIndex, length: count)
    }
}
