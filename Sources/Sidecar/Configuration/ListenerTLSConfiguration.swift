import Pipeline
public import Proxy

/// How one listener encrypts, as the keys `tls.*` say it.
public struct ListenerTLSConfiguration: Sendable, Equatable {
    /// Whether a side is encrypted, and since when.
    public enum Mode: String, Sendable, CaseIterable {
        case off
        /// As the protocol has it: NATS after the server's greeting, others from the first byte.
        case on
        /// From the first byte, also in NATS.
        case handshakeFirst = "handshake_first"
    }

    /// Towards clients.
    public struct Listen: Sendable, Equatable {
        /// Default off.
        public var mode = Mode.off
        /// PEM file: the certificate that clients are shown, and those between it and the root.
        public var certificate: String?
        /// PEM file: its key.
        public var key: String?
        /// PEM file: clients must show a certificate that one of these has signed.
        public var clientCA: String?
    }

    /// Towards the upstream.
    public struct Upstream: Sendable, Equatable {
        /// Default off.
        public var mode = Mode.off
        /// PEM file: who may have signed the upstream's certificate. Default: whom the system trusts.
        public var ca: String?
        /// PEM file: the certificate that the upstream is shown.
        public var certificate: String?
        /// PEM file: its key.
        public var key: String?
        /// The name in the upstream's certificate. Default: its host.
        public var serverName: String?
        /// Default full.
        public var verify = TLSSettings.Verification.full
    }

    /// Towards clients.
    public var listen = Listen()
    /// Towards the upstream.
    public var upstream = Upstream()

    /// Nothing is encrypted.
    public init() {}

    /// What a session has to know.
    func sides(_ busProtocol: BusProtocol) -> SessionTLS {
        SessionTLS(
            client: Self.beginning(listen.mode, busProtocol), clientIsVerified: listen.clientCA != nil,
            upstream: Self.beginning(upstream.mode, busProtocol))
    }

    private static func beginning(_ mode: Mode, _ busProtocol: BusProtocol) -> SessionTLS.Beginning {
        switch (mode, busProtocol) {
        case (.off, _): .never
        case (.on, .nats): .afterGreeting
        case (.on, _), (.handshakeFirst, _): .firstByte
        }
    }

    /// What the proxy reads; nil when nothing is encrypted. A certificate or key that is missing is told by `problems`.
    var settings: TLSSettings? {
        var settings = TLSSettings()
        if listen.mode != .off, let certificate = listen.certificate, let key = listen.key {
            settings.client = TLSSettings.Client(
                certificateFile: certificate, keyFile: key, clientAuthoritiesFile: listen.clientCA)
        }
        if upstream.mode != .off {
            settings.upstream = TLSSettings.Upstream(
                authoritiesFile: upstream.ca, certificateFile: upstream.certificate, keyFile: upstream.key,
                serverName: upstream.serverName, verification: upstream.verify)
        }
        return settings == TLSSettings() ? nil : settings
    }
}

extension ListenerTLSConfiguration {
    /// What is wrong with these settings, each with the key that is to be changed; files are opened and read.
    func problems(upstream endpoint: Endpoint) -> [(key: String, message: String)] {
        var found: [(String, String)] = []
        let files = [
            ("tls.listen.certificate", listen.certificate), ("tls.listen.key", listen.key),
            ("tls.listen.client_ca", listen.clientCA), ("tls.upstream.ca", upstream.ca),
            ("tls.upstream.certificate", upstream.certificate), ("tls.upstream.key", upstream.key),
            ("tls.upstream.server_name", upstream.serverName),
        ]
        for (key, value) in files where value != nil {
            let side = key.hasPrefix("tls.listen") ? "tls.listen.mode" : "tls.upstream.mode"
            if (side == "tls.listen.mode" ? listen.mode : upstream.mode) == .off {
                found.append((key, "has no effect while \(side) is off; set that to on, or remove this"))
            }
        }
        if listen.mode != .off {
            for (key, value) in files.prefix(2) where value == nil {
                found.append(("tls.listen.mode", "needs \(key) too"))
            }
        }
        if (upstream.certificate == nil) != (upstream.key == nil) {
            let (given, missing) = upstream.key == nil ? ("certificate", "key") : ("key", "certificate")
            found.append(("tls.upstream.\(given)", "needs tls.upstream.\(missing) too"))
        }
        if case .unix = endpoint, upstream.mode != .off, upstream.verify == .full, upstream.serverName == nil {
            found.append(
                ("tls.upstream.mode", "needs tls.upstream.server_name too: a unix socket has no name of its own"))
        }
        if endpoint == .embedded, upstream.mode != .off {
            found.append(("tls.upstream.mode", "has no meaning: the embedded event log is in this process"))
        }
        guard found.isEmpty, let settings else { return found }
        do throws(TLSFileError) {
            _ = try TLSContexts(settings)
        } catch {
            found.append((Self.key(error.role), error.reason))
        }
        return found
    }

    private static func key(_ role: TLSFileError.Role) -> String {
        switch role {
        case .clientSideCertificate: "tls.listen.certificate"
        case .clientSideKey: "tls.listen.key"
        case .clientAuthorities: "tls.listen.client_ca"
        case .upstreamAuthorities: "tls.upstream.ca"
        case .upstreamSideCertificate: "tls.upstream.certificate"
        case .upstreamSideKey: "tls.upstream.key"
        }
    }
}
