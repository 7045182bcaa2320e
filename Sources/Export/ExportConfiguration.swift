import Telemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Everything the export of spans can be told: where to, how, how much at a time, and who we say we are.
///
/// The defaults of the queue are larger than those of the OpenTelemetry batch processor (2,048 spans, 512 a batch,
/// 5 s), because a sidecar sees all traffic of its application and a minute without a collector must fit.
public struct ExportConfiguration: Sendable, Equatable {
    /// The full address of the trace service, `http` or `https`; nil when spans go nowhere.
    public var endpoint: String?
    /// Sent with each request. Values are secrets: they are never logged.
    public var headers: [HeaderField] = []
    /// The limit for one request, connecting included.
    public var requestTimeoutMilliseconds = 10_000
    /// How bodies are sent.
    public var compression = ExportCompression.none
    /// What an `https` endpoint needs beyond the system's authorities.
    public var tlsFiles = TLSFiles()

    /// Spans that wait at most; the oldest give way.
    public var queueCapacity = 65_536
    /// A request is made as soon as this many spans wait, and has no more.
    public var batchSize = 4_096
    /// A request is made at the latest this long after the one before, if there is anything to send.
    public var scheduleDelayMilliseconds = 1_000
    /// How long a drain may take before what is left is dropped.
    public var drainTimeoutMilliseconds = 30_000
    /// The body of one request before compression. Receivers commonly refuse more than 20 MiB, and with it the batch.
    public var requestBytesMax = 4 << 20
    /// When failed requests are repeated.
    public var retry = RetryPolicy()

    /// `service.name` of spans whose descriptor names no service.
    public var serviceName = "unknown_service:tacho"
    /// `host.name`, the same on every resource: differing hosts would make Jaeger suspect clock skew.
    public var hostName = Self.systemHostName
    /// `service.instance.id`.
    public var instanceID = Self.randomInstanceID()
    /// More resource attributes; they replace ours of the same key. `service.name` has no effect here.
    public var resourceAttributes: [ResourceAttribute] = []

    /// The defaults, towards this address of a trace service; nil exports nothing.
    public init(endpoint: String?) {
        self.endpoint = endpoint
    }

    /// What the environment says, over the defaults.
    public init(environment: OTELEnvironment) {
        self.init(endpoint: environment.exportsTraces ? environment.endpoint : nil)
        headers = environment.headers
        tlsFiles = environment.tlsFiles
        resourceAttributes = environment.resourceAttributes
        if let value = environment.timeoutMilliseconds { requestTimeoutMilliseconds = value }
        if let value = environment.compression { compression = value }
        if let value = environment.queueCapacity { queueCapacity = value }
        if let value = environment.batchSize { batchSize = value }
        if let value = environment.scheduleDelayMilliseconds { scheduleDelayMilliseconds = value }
        if let value = environment.exportTimeoutMilliseconds { drainTimeoutMilliseconds = value }
        if let value = environment.serviceName { serviceName = value }
        // A batch above the queue's size would never be full.
        batchSize = min(batchSize, queueCapacity)
    }

    /// The endpoint as it may be shown: without user, password and query.
    public var endpointForDisplay: String {
        guard let endpoint else { return "none" }
        return OTLPEndpoint.redacted(endpoint)
    }

    /// The largest request that is ever sent, before compression (OTLP specification, "OTLP/HTTP Request").
    public static let requestBytesLimit = 64 << 20
    /// The largest response that is read, after decompression (OTLP specification, "OTLP/HTTP Response").
    public static let responseBytesLimit = 4 << 20

    /// What the system calls this host.
    public static var systemHostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A random UUID, version 4.
    public static func randomInstanceID() -> String {
        let high = UInt64.random(in: .min ... .max) & 0xffff_ffff_ffff_0fff | 0x4000
        let low = UInt64.random(in: .min ... .max) & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
        let digits = HexadecimalText.text(high) + HexadecimalText.text(low)
        var text = ""
        for (position, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(position) { text.append("-") }
            text.append(digit)
        }
        return text
    }
}

/// `Content-Encoding` of requests; receivers are only bound to understand these two.
public enum ExportCompression: String, Sendable, CaseIterable {
    case none
    case gzip
}

/// A request header. The value may be a secret and stays out of descriptions.
public struct HeaderField: Sendable, Equatable, CustomStringConvertible {
    /// The field name.
    public var name: String
    /// The field value, which may be empty.
    public var value: String

    /// A header that has not been checked yet; `ExportConfiguration.validate` does.
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    /// The name alone.
    public var description: String { "\(name): (not shown)" }
}

/// PEM files for a TLS endpoint; empty where the system's defaults hold.
public struct TLSFiles: Sendable, Equatable {
    /// Certificates that sign the collector's.
    public var authorities = ""
    /// What we show the collector of ourselves.
    public var clientCertificate = ""
    /// The key of the client certificate.
    public var clientKey = ""

    /// Names of files; empty means the default.
    public init(authorities: String = "", clientCertificate: String = "", clientKey: String = "") {
        self.authorities = authorities
        self.clientCertificate = clientCertificate
        self.clientKey = clientKey
    }
}

/// An attribute of the resource, such as `deployment.environment.name`.
public struct ResourceAttribute: Sendable, Equatable {
    /// The attribute's name.
    public var key: String
    /// Its value.
    public var value: String

    /// An attribute with a text value.
    public init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}
