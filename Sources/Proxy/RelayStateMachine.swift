/// Which of the two connections of a relay is meant.
enum Side: Sendable {
    case client
    case upstream

    var other: Side {
        switch self {
        case .client: .upstream
        case .upstream: .client
        }
    }
}

/// The life of a pair of connections: when an end of one becomes an end of the other. Knows no bytes and no sockets.
struct RelayStateMachine {
    /// What one side still does.
    private enum Flow {
        case open
        /// It will send nothing more, but still reads.
        case finished
        case closed
    }

    private var client = Flow.open
    private var upstream = Flow.open
    private var isDraining = false

    /// - Parameter hasUpstream: false for a client that is served without one.
    init(hasUpstream: Bool = true) {
        if !hasUpstream { upstream = .closed }
    }

    enum FinishAction: Equatable {
        /// Tell the other side that nothing more will come.
        case finishOther
        /// Both have finished: nothing is left to relay.
        case closeBoth
        case nothing
    }

    enum ClosedAction: Equatable {
        /// Let the other side have what is on its way, then close it. `isLoss`: the side that is gone was the upstream,
        /// and the client had not said that it was leaving.
        case closeOther(isLoss: Bool)
        /// This was the second: the session is over.
        case end
        case nothing
    }

    enum DrainAction: Equatable {
        case closeBoth
        /// Replies are under way.
        case wait
    }

    /// The peer of `side` has shut down its sending direction.
    mutating func finished(_ side: Side) -> FinishAction {
        guard self[side] == .open else { return .nothing }
        self[side] = .finished
        return self[side.other] == .open ? .finishOther : .closeBoth
    }

    /// The connection of `side` is gone.
    mutating func closed(_ side: Side) -> ClosedAction {
        guard self[side] != .closed else { return .nothing }
        self[side] = .closed
        if self[side.other] == .closed { return .end }
        return .closeOther(isLoss: side == .upstream && client == .open)
    }

    /// The process wants to stop.
    mutating func drain(isIdle: Bool) -> DrainAction {
        isDraining = true
        return isIdle ? .closeBoth : .wait
    }

    /// Bytes have passed; a drain may have been waiting for just these.
    mutating func relayed(isIdle: @autoclosure () -> Bool) -> DrainAction {
        isDraining && isIdle() ? .closeBoth : .wait
    }

    private subscript(side: Side) -> Flow {
        get {
            switch side {
            case .client: client
            case .upstream: upstream
            }
        }
        set {
            switch side {
            case .client: client = newValue
            case .upstream: upstream = newValue
            }
        }
    }
}
