import Resilience
import Telemetry

/// A guard and this lane's tally of its calls.
struct GuardHandle {
    let cell: GuardCell
    let tally: GuardTally

    init(_ cell: GuardCell) {
        self.cell = cell
        tally = cell.makeTally()
    }

    fileprivate enum Entry {
        case passes
        case passesAsProbe
        case refused
    }

    /// What the guard says to one more call. A probe has taken its place when this returns.
    @inline(__always)
    fileprivate func enter() -> Entry {
        let word = cell.word
        return word == AdmissionWord.all ? .passes : enter(word)
    }

    private func enter(_ word: UInt64) -> Entry {
        switch AdmissionWord.decode(word) {
        case .all: return .passes
        case .none: break
        case .probes(let most):
            if cell.beginProbe(most: most) {
                tally.beganProbe()
                return .passesAsProbe
            }
        case .share: if tally.isAmong(share: AdmissionWord.share(word)) { return .passes }
        }
        tally.rejected()
        return .refused
    }

    fileprivate func refusal(at now: Instant) -> GuardRefusal {
        var refusal = GuardRefusal(guardName: cell.key.name)
        if case .none(let retryAt) = cell.admission {
            let moment = now.monotonicNanoseconds
            refusal.retryNanoseconds = retryAt > moment ? retryAt &- moment : 0
        }
        return refusal
    }

    /// Nobody can judge the probe, or it was not sent: as if it had not been.
    fileprivate func takeBack(isProbe: Bool) {
        if isProbe { tally.tookBackProbe() }
    }

    /// A call that this guard let through is over. `latency` is nil where it says nothing of the broker.
    @inline(__always)
    fileprivate func finish(_ result: CallResult, latency: UInt64?, isProbe: Bool) {
        tally.ended()
        guard result != .unknown else { return takeBack(isProbe: isProbe) }
        let failure = result.failure
        let isSlow = failure == nil && (latency.map { $0 > cell.slowNanoseconds } ?? false)
        let probe: ProbeResult = isProbe ? (failure == nil && !isSlow ? .success : .failure) : .none
        var (log, square) = (0.0, 0.0)
        if let latency {
            log = NaturalLogarithm.ofSeconds(nanoseconds: latency)
            square = log * log
        } else {
            (log, square) = cell.neutralLatency
        }
        tally.count(
            sample: latency ?? 0, logLatency: log, logSquare: square, isSlow: isSlow, failure: failure,
            isMistake: result == .mistake,
            probe: probe)
    }
}

/// A message on its way to a second broker, whose guard hears what comes of it.
struct SecondaryTicket {
    let listener: UInt32
    let askedAt: Instant
    var isProbe = false
}

/// Whether a second broker may be given a message.
enum SecondaryAdmittance {
    case passes(SecondaryTicket)
    /// Its guard says no; for people.
    case refused(String)
}

/// The stage that decides whether a call goes on, and counts what came of it. Bindings put a refusal into the words of
/// their protocol and tell how each call ended; they know no breaker.
extension Lane {
    /// Whether anything is guarded at all.
    @inline(__always)
    var isGuarding: Bool { !upstreamGuards.isEmpty }

    /// After how long a reply that has not come counts as a timeout.
    var callTimeoutNanoseconds: UInt64 { shared.guards?.callTimeoutNanoseconds ?? .max }

    /// Asks the guards of a call: that of the upstream, and that of its route, where it has one. Nil for `route` is a
    /// call that belongs to no destination. Whoever was let through tells `completed` what came of it.
    @inline(__always)
    func admit(_ route: RouteID?, _ listener: ListenerProfile, at now: Instant) -> Admittance {
        guard isGuarding else { return .passes(.none) }
        var ticket = GuardTicket()
        let upstream = upstreamGuards[Int(listener.number)]
        switch upstream.enter() {
        case .passes: break
        case .passesAsProbe: ticket.flags.insert(.upstreamProbe)
        case .refused: return .refused(upstream.refusal(at: now))
        }
        if let route, let own = routes.routes[route.index].guarding {
            switch own.enter() {
            case .passes: break
            case .passesAsProbe: ticket.flags.insert(.probe)
            case .refused:
                upstream.takeBack(isProbe: ticket.flags.contains(.upstreamProbe))
                return .refused(own.refusal(at: now))
            }
            own.tally.began()
            ticket.route = route
        }
        upstream.tally.began()
        ticket.flags.insert(.upstream)
        return .passes(ticket)
    }

    /// A call that no guard may refuse, but whose end says how the upstream does: signing in, asking for its state.
    func observe(_ listener: ListenerProfile) -> GuardTicket {
        guard isGuarding else { return .none }
        upstreamGuards[Int(listener.number)].tally.began()
        var ticket = GuardTicket()
        ticket.flags.insert(.upstream)
        return ticket
    }

    /// Takes a place among the calls under way, for a call that was let through. False when there is none.
    func takePlace(_ ticket: inout GuardTicket) -> Bool {
        guard let route = ticket.route, let own = routes.routes[route.index].guarding else { return true }
        switch own.cell.takePlace() {
        case .unlimited: return true
        case .full: return false
        case .taken:
            ticket.flags.insert(.limited)
            return true
        }
    }

    /// Whether calls and connections to the upstream are let through without reserve.
    func upstreamIsOpen(_ listener: ListenerProfile) -> Bool {
        !isGuarding || upstreamGuards[Int(listener.number)].cell.word == AdmissionWord.all
    }

    /// The guard of a route, for those who wait for a place with it.
    func cell(of route: RouteID) -> GuardCell? { routes.routes[route.index].guarding?.cell }

    /// A call that is under way has taken so long: if that is slow, its destination's guard knows from now on, and until
    /// `completed`. False while it is not, or where nobody is to know.
    func noteOverdue(_ ticket: inout GuardTicket, after nanoseconds: UInt64) -> Bool {
        guard let route = ticket.route, let own = routes.routes[route.index].guarding,
            nanoseconds > own.cell.slowNanoseconds
        else { return false }
        if !ticket.flags.contains(.overdue) {
            ticket.flags.insert(.overdue)
            own.tally.becameOverdue()
        }
        return true
    }

    /// Counts what came of a call. `latency` is nil where it says nothing of the broker, as with reads that wait for
    /// messages.
    @inline(__always)
    func completed(_ ticket: GuardTicket, _ result: CallResult, latency: UInt64?, _ listener: ListenerProfile) {
        guard ticket.flags.contains(.upstream) else { return }
        if let route = ticket.route, let own = routes.routes[route.index].guarding {
            if ticket.flags.contains(.limited) { own.cell.leavePlace() }
            if ticket.flags.contains(.overdue) { own.tally.endedOverdue() }
            own.finish(result, latency: latency, isProbe: ticket.flags.contains(.probe))
        }
        // The latency of one destination says nothing of the others either.
        upstreamGuards[Int(listener.number)].finish(
            result.general, latency: nil, isProbe: ticket.flags.contains(.upstreamProbe))
    }

    /// Asks the guard of a listener's second broker. Whoever was let through tells `completed` what came of it.
    func admitSecondary(_ listener: ListenerProfile, at now: Instant) -> SecondaryAdmittance {
        var ticket = SecondaryTicket(listener: listener.number, askedAt: now)
        guard let own = secondaryGuards[listener.number] else { return .passes(ticket) }
        switch own.enter() {
        case .passes: break
        case .passesAsProbe: ticket.isProbe = true
        case .refused: return .refused(own.refusal(at: now).text)
        }
        own.tally.began()
        return .passes(ticket)
    }

    /// Counts what came of a message for the second broker.
    func completed(_ ticket: SecondaryTicket, _ result: CallResult, latency: UInt64?) {
        secondaryGuards[ticket.listener]?.finish(result, latency: latency, isProbe: ticket.isProbe)
    }

    /// The guard of what a route does; nil for what is not guarded.
    func makeGuard(_ descriptor: SpanDescriptor, _ key: Route.Key) -> GuardHandle? {
        guard let guards = shared.guards, listeners[Int(key.listener)].isGuarded, let type = descriptor.operationType
        else { return nil }
        let operation: GuardedOperation
        switch type {
        case .send: operation = .publish
        case .receive: operation = .receive
        case .settle: operation = .acknowledge
        // What a group works on is told to the guard of what it receives.
        case .process where !descriptor.group.isEmpty: operation = .receive
        case .create, .process: return nil
        }
        let guardKey = GuardKey(
            listener: key.listener, listenerName: listeners[Int(key.listener)].name, operation: operation,
            destination: descriptor.destination, group: descriptor.group)
        let cell = guards.cell(for: guardKey, overflow: key.destination == .other)
        if let known = guardHandles[ObjectIdentifier(cell)] { return known }
        let made = GuardHandle(cell)
        guardHandles[ObjectIdentifier(cell)] = made
        return made
    }

    /// The guards of the upstreams, by number of the listener; none when nothing is guarded.
    static func upstreamGuards(_ guards: GuardTable?, _ listeners: [ListenerProfile]) -> [GuardHandle] {
        guard let guards else { return [] }
        return listeners.prefix { $0.isGuarded }.map { listener in
            GuardHandle(
                guards.cell(
                    for: GuardKey(listener: listener.number, listenerName: listener.name, operation: .upstream)))
        }
    }

    /// The guards of the secondaries, where some message may be for them.
    static func secondaryGuards(_ guards: GuardTable?, _ listeners: [ListenerProfile]) -> [UInt32: GuardHandle] {
        guard let guards else { return [:] }
        let concerned = listeners.filter { $0.isGuarded && $0.fallback.uses(.secondary) }
        return Dictionary(
            uniqueKeysWithValues: concerned.map { listener in
                let key = GuardKey(listener: listener.number, listenerName: listener.name, operation: .secondary)
                return (listener.number, GuardHandle(guards.cell(for: key)))
            })
    }
}
