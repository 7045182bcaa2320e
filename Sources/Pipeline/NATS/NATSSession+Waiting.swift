import NIOCore
import Resilience
import Wire

/// A message that waits for a place among those under way, and everything behind it on its connection.
///
/// It waits where its line and headers are known and before its first byte is passed on, so a payload never has to be
/// kept for it. The other direction goes on.
extension NATSSession {
    /// Where in its operation a message waits.
    enum HeldPiece {
        case line
        case headers
        case end
    }

    /// Gives a message whose publisher waits for an answer its place among those under way, or lets it wait, or says why
    /// neither.
    mutating func place(
        _ ticket: GuardTicket, _ route: RouteID, _ bulkhead: BulkheadPolicy, at now: Instant
    ) -> Placement {
        guard !isBypassed else {
            lane.endWait(&hold)
            return .taken(ticket)
        }
        let isCrowded = bulkhead.perConnectionMax > 0 && awaited.count >= bulkhead.perConnectionMax
        let placement = lane.place(
            ticket, route, bulkhead, &hold, isCrowded: isCrowded, canWait: true, listener, at: now)
        // It is looked at again as if for the first time.
        if case .waits = placement { requests.disposition = .keep }
        return placement
    }

    /// The moment at which the held message is looked at again, or a publish is sent again.
    public var resumesAt: UInt64? {
        guard let hold else { return kept.dueAt }
        return min(hold.looksAgainAt, kept.dueAt ?? .max)
    }

    /// Only a message that waits for its place keeps others waiting.
    public var holdsClient: Bool { hold != nil }

    /// Sends again what is due, and goes on with what was held, if it may.
    public mutating func resume(at now: Instant) -> SessionOutput {
        var passed = SessionOutput()
        if kept.dueAt != nil, opaque == nil {
            tryDue(at: now)
            passed.toUpstream = takeResends()
        }
        if hold != nil {
            var buffer = ByteBuffer()
            let start = requests.join(&buffer)
            passed.append(takeRequests(buffer, from: start, at: now))
        } else {
            passed.toClient = takeAnswers()
        }
        return passed
    }

    /// A message has come for the client, and with it perhaps the place that is waited for.
    mutating func goOn(after first: SessionOutput, at now: Instant) -> SessionOutput {
        var first = first
        if opaque == nil {
            first.append(resume(at: now))
        } else if !first.endsSession {
            // Nothing is looked at any more, so nothing waits.
            first.append(SessionOutput(toUpstream: heldBytes()))
        }
        return first
    }

    /// What was kept of an unfinished operation. A message that waits is passed on: its client has gone, and a server
    /// carries out what it has received.
    public mutating func clientFinished(at now: Instant) -> SessionOutput {
        var passed = SessionOutput()
        if hold != nil {
            isBypassed = true
            passed = resume(at: now)
        }
        passed.append(SessionOutput(toUpstream: heldBytes()))
        if opaque == nil, !kept.isEmpty {
            giveAllBack(at: now)
            passed.append(SessionOutput(toClient: takeAnswers()))
        }
        return passed
    }

    private mutating func heldBytes() -> ByteBuffer? {
        var held = ByteBuffer()
        _ = requests.join(&held)
        return held.readableBytes > 0 ? held : nil
    }
}
