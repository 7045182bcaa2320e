/// Which sides of a session are encrypted, and since when; the session never sees a byte of TLS, only what is inside.
public struct SessionTLS: Sendable, Equatable {
    /// When encryption of one side begins.
    public enum Beginning: Sendable, Equatable {
        /// Never, as far as this process goes. A client may still speak TLS with the upstream itself; such a session
        /// cannot be read.
        case never
        /// With the first byte: the session is not concerned.
        case firstByte
        /// When the session says so with `SessionOutput.startTLS`: the protocol has a plain greeting first.
        case afterGreeting
    }

    /// Between the client and this process.
    public var client: Beginning
    /// Whether a client has to show a certificate.
    public var clientIsVerified: Bool
    /// Between this process and the upstream.
    public var upstream: Beginning

    /// By default nothing is encrypted.
    public init(client: Beginning = .never, clientIsVerified: Bool = false, upstream: Beginning = .never) {
        self.client = client
        self.clientIsVerified = clientIsVerified
        self.upstream = upstream
    }
}

/// Sides of a session that are encrypted from here on.
public struct TLSSides: OptionSet, Sendable {
    /// One bit per side.
    public let rawValue: UInt8

    /// A set from its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The bytes exchanged with the client.
    public static let client = TLSSides(rawValue: 1)
    /// The bytes exchanged with the upstream.
    public static let upstream = TLSSides(rawValue: 2)
}
