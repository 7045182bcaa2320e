import Pipeline

/// Which sides of a relay are encrypted or about to be, and what may be read meanwhile. Knows no bytes and no sockets.
///
/// What is written to a side during its handshake waits in memory, however much it is. So nothing is read that would be
/// written there, except the bytes of handshakes themselves, and the greeting before which a session cannot begin one.
struct TLSHandshakes {
    private enum Progress {
        /// Plain, and stays so.
        case plain
        /// The session will say when.
        case awaited
        case underWay
        case over
    }

    private var client: Progress
    private var upstream: Progress

    init(_ tls: SessionTLS) {
        client = Self.progress(tls.client)
        upstream = Self.progress(tls.upstream)
    }

    private static func progress(_ beginning: SessionTLS.Beginning) -> Progress {
        switch beginning {
        case .never: .plain
        case .firstByte: .underWay
        case .afterGreeting: .awaited
        }
    }

    func isUnderWay(_ side: Side) -> Bool { self[side] == .underWay }

    /// The session asks for it. False if that side does not wait for it.
    mutating func begin(_ side: Side) -> Bool {
        guard self[side] == .awaited else { return false }
        self[side] = .underWay
        return true
    }

    /// The handshake is over, whichever way. False if none was under way.
    mutating func end(_ side: Side) -> Bool {
        guard self[side] == .underWay else { return false }
        self[side] = .over
        return true
    }

    func mayRead(_ side: Side) -> Bool {
        switch (side, self[side], self[side.other]) {
        case (_, .underWay, _): true
        case (.client, .awaited, _): false
        case (.client, _, let upstream): upstream == .plain || upstream == .over
        case (.upstream, _, let client): client != .underWay
        }
    }

    private subscript(side: Side) -> Progress {
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
