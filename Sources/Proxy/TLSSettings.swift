/// How one listener encrypts: files and rules, as they are configured. Nothing has been read yet.
public struct TLSSettings: Sendable, Equatable {
    /// What clients are shown, and what they have to show.
    public struct Client: Sendable, Equatable {
        /// PEM: our certificate, and behind it those between it and the root.
        public var certificateFile: String
        /// PEM, not encrypted.
        public var keyFile: String
        /// PEM: clients must show a certificate that one of these has signed; nil = clients need none.
        public var clientAuthoritiesFile: String?

        /// All parts are given; without authorities, clients need no certificate.
        public init(certificateFile: String, keyFile: String, clientAuthoritiesFile: String? = nil) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.clientAuthoritiesFile = clientAuthoritiesFile
        }
    }

    /// What the upstream has to show, and what it is shown.
    public struct Upstream: Sendable, Equatable {
        /// PEM: who may have signed the upstream's certificate; nil = whom the system trusts.
        public var authoritiesFile: String?
        /// PEM: the certificate that we show, with the key beside it.
        public var certificateFile: String?
        /// PEM, not encrypted.
        public var keyFile: String?
        /// The name that the certificate must bear; nil = the host that is connected to.
        public var serverName: String?
        /// What is checked.
        public var verification: Verification

        /// By default the system's authorities decide, and everything is checked.
        public init(
            authoritiesFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil,
            serverName: String? = nil, verification: Verification = .full
        ) {
            self.authoritiesFile = authoritiesFile
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.serverName = serverName
            self.verification = verification
        }
    }

    /// What is checked of the upstream's certificate.
    public enum Verification: String, Sendable, CaseIterable {
        /// That an authority has signed it, and that it bears the name.
        case full
        /// That an authority has signed it, for whatever name.
        case anyName = "any_name"
        /// Nothing: encrypted, but with whoever answers.
        case insecureNone = "insecure_none"
    }

    /// nil = clients speak plainly.
    public var client: Client?
    /// nil = we speak plainly with the upstream.
    public var upstream: Upstream?

    /// By default nothing is encrypted.
    public init(client: Client? = nil, upstream: Upstream? = nil) {
        self.client = client
        self.upstream = upstream
    }
}

/// Why a file for TLS cannot be used.
public struct TLSFileError: Error, Equatable, CustomStringConvertible {
    /// Which of the files it is.
    public enum Role: Sendable, Equatable {
        case clientSideCertificate
        case clientSideKey
        case clientAuthorities
        case upstreamAuthorities
        case upstreamSideCertificate
        case upstreamSideKey
    }

    /// Which of the files it is.
    public let role: Role
    /// What is wrong and what was expected; names the file, never what is in it.
    public let reason: String

    /// The reason.
    public var description: String { reason }
}
