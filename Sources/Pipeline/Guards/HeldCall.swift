/// A call that its connection holds back, with everything behind it: until there is a place for it among those under way,
/// or until somebody else has answered.
struct HeldCall {
    /// How far the bytes at hand have been read: up to the end of the call, or of what was needed to know it.
    var position = 0
    /// When it is refused if nothing has happened, on the monotonic clock.
    var deadline: UInt64
    var looksAgainAt: UInt64
    /// The guard that it waits with; nil where it waits for something else.
    var cell: GuardCell?

    /// Places become free on other event loops too, which do not tell; so a waiting call looks again and again.
    static let lookNanoseconds: UInt64 = 2_000_000
}

/// What a bulkhead says to one call.
enum Placement {
    /// It is one of those under way.
    case taken(GuardTicket)
    /// It is held back.
    case waits
    case refused(GuardRefusal)
}

extension Lane {
    /// Gives a call that was let through its place among those under way, or lets it wait, or refuses it.
    ///
    /// - Parameters:
    ///   - held: the call, if it waits already; set or cleared by what comes of it.
    ///   - isCrowded: its connection has as many calls under way as it may.
    ///   - canWait: nothing of the call has been passed on yet.
    func place(
        _ ticket: GuardTicket, _ route: RouteID, _ bulkhead: BulkheadPolicy, _ held: inout HeldCall?, isCrowded: Bool,
        canWait: Bool, _ listener: ListenerProfile, at now: Instant
    ) -> Placement {
        var ticket = ticket
        if !isCrowded, takePlace(&ticket) {
            endWait(&held)
            return .taken(ticket)
        }
        // As if nobody had asked: it asks again.
        completed(ticket, .unknown, latency: nil, listener)
        let moment = now.monotonicNanoseconds
        let cell = cell(of: route)
        if held == nil, canWait, let cell, cell.beginWaiting(most: bulkhead.waitingMax) {
            held = HeldCall(deadline: moment &+ bulkhead.waitNanoseconds, looksAgainAt: moment, cell: cell)
        }
        if let deadline = held?.deadline, moment < deadline {
            held?.looksAgainAt = min(deadline, moment &+ HeldCall.lookNanoseconds)
            return .waits
        }
        endWait(&held)
        cell?.turnAway()
        var refusal = GuardRefusal(guardName: cell?.key.name ?? "")
        refusal.crowd = isCrowded ? .connection : .destination
        return .refused(refusal)
    }

    /// The call does not wait any longer.
    func endWait(_ held: inout HeldCall?) {
        guard let call = held else { return }
        call.cell?.endWaiting()
        held = nil
    }
}
