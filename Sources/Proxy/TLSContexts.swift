import Glibc
import NIOSSL

/// The files of one listener's `TLSSettings`, read and found to fit: makes the handlers that encrypt connections.
///
/// Read once at the start: a certificate that is renewed needs a restart.
public struct TLSContexts: Sendable {
    private let client: NIOSSLContext?
    private let upstream: NIOSSLContext?
    private let serverName: String?

    /// Reads the files. A certificate without its key, or the other way round, is told as such.
    public init(_ settings: TLSSettings) throws(TLSFileError) {
        client = try settings.client.map(Self.context)
        upstream = try settings.upstream.map(Self.context)
        serverName = settings.upstream?.serverName
    }

    /// For a connection that a client has opened; nil where clients speak plainly.
    func clientHandler() -> NIOSSLServerHandler? { client.map { NIOSSLServerHandler(context: $0) } }

    /// For a connection to an upstream; nil where that is plain. `host`: whom we connect to, nil for a unix socket.
    func upstreamHandler(host: String?) throws -> NIOSSLClientHandler? {
        guard let upstream else { return nil }
        // An address is no name for SNI (RFC 6066, section 3); NIOSSL then compares the connection's address itself.
        let name = serverName ?? host.flatMap { Self.isAddress($0) ? nil : $0 }
        return try NIOSSLClientHandler(context: upstream, serverHostname: name)
    }

    // MARK: Contexts

    private static func context(_ settings: TLSSettings.Client) throws(TLSFileError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try chain(settings.certificateFile, .clientSideCertificate),
            privateKey: try key(settings.keyFile, .clientSideKey))
        configuration.minimumTLSVersion = .tlsv12
        if let file = settings.clientAuthoritiesFile {
            configuration.trustRoots = .certificates(try certificates(file, .clientAuthorities))
            configuration.certificateVerification = .noHostnameVerification
        }
        return try made(configuration, .clientSideKey, settings.keyFile)
    }

    private static func context(_ settings: TLSSettings.Upstream) throws(TLSFileError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        switch settings.verification {
        case .full: configuration.certificateVerification = .fullVerification
        case .anyName: configuration.certificateVerification = .noHostnameVerification
        case .insecureNone: configuration.certificateVerification = .none
        }
        if let file = settings.authoritiesFile {
            configuration.trustRoots = .certificates(try certificates(file, .upstreamAuthorities))
        }
        if let file = settings.certificateFile {
            configuration.certificateChain = try chain(file, .upstreamSideCertificate)
        }
        if let file = settings.keyFile { configuration.privateKey = try key(file, .upstreamSideKey) }
        return try made(configuration, .upstreamSideKey, settings.keyFile ?? "")
    }

    private static func made(
        _ configuration: TLSConfiguration, _ role: TLSFileError.Role, _ keyFile: String
    ) throws(TLSFileError) -> NIOSSLContext {
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSFileError(role: role, reason: "the key in \(keyFile) does not belong to the certificate")
        }
    }

    // MARK: Files

    private static func certificates(
        _ file: String, _ role: TLSFileError.Role
    ) throws(TLSFileError) -> [NIOSSLCertificate] {
        try checkReadable(file, role)
        guard let found = try? NIOSSLCertificate.fromPEMFile(file), !found.isEmpty else {
            throw TLSFileError(role: role, reason: "\(file) holds no certificate in PEM form")
        }
        return found
    }

    private static func chain(
        _ file: String, _ role: TLSFileError.Role
    ) throws(TLSFileError) -> [NIOSSLCertificateSource] {
        try certificates(file, role).map { .certificate($0) }
    }

    private static func key(_ file: String, _ role: TLSFileError.Role) throws(TLSFileError) -> NIOSSLPrivateKeySource {
        try checkReadable(file, role)
        guard let key = try? NIOSSLPrivateKey(file: file, format: .pem) else {
            throw TLSFileError(role: role, reason: "\(file) holds no private key in PEM form without a passphrase")
        }
        return .privateKey(key)
    }

    private static func checkReadable(_ file: String, _ role: TLSFileError.Role) throws(TLSFileError) {
        guard access(file, R_OK) != 0 else { return }
        throw TLSFileError(role: role, reason: "\(file) cannot be read: \(String(cString: strerror(errno)))")
    }

    private static func isAddress(_ host: String) -> Bool {
        // Room for an IPv6 address, the larger of the two.
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { room in
            inet_pton(AF_INET, host, room.baseAddress) == 1 || inet_pton(AF_INET6, host, room.baseAddress) == 1
        }
    }
}
