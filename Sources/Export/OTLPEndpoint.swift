/// The rules that turn a configured address into the address that is posted to
/// (OpenTelemetry specification, protocol/exporter, "Endpoint URLs for OTLP/HTTP").
public enum OTLPEndpoint {
    /// Where a collector beside us listens.
    public static let standard = "http://localhost:4318/v1/traces"

    /// The trace address below a base address that all signals share; nil when `base` is no http(s) URL.
    public static func traces(underBase base: String) -> String? {
        guard var parts = Parts(base) else { return nil }
        if !parts.path.hasSuffix("/") { parts.path += "/" }
        parts.path += "v1/traces"
        return parts.text
    }

    /// An address meant for traces: used as it is, with `/` where it has no path; nil when it is no http(s) URL.
    public static func traces(at address: String) -> String? {
        guard var parts = Parts(address) else { return nil }
        if parts.path.isEmpty { parts.path = "/" }
        return parts.text
    }

    /// Without user, password and query, which may hold secrets.
    static func redacted(_ address: String) -> String {
        guard var parts = Parts(address) else { return "(not an http address)" }
        if let at = parts.authority.lastIndex(of: "@") {
            parts.authority = String(parts.authority[parts.authority.index(after: at)...])
        }
        parts.query = ""
        return parts.text
    }

    private struct Parts {
        var scheme: String
        var authority: String
        var path: String
        /// With its `?`; a fragment is left out, it is never sent.
        var query: String

        init?(_ address: String) {
            guard let separator = Self.range(of: "://", in: address) else { return nil }
            scheme = address[..<separator.lowerBound].lowercased()
            guard scheme == "http" || scheme == "https" else { return nil }
            let withoutFragment = address[separator.upperBound...].prefix { $0 != "#" }
            authority = String(withoutFragment.prefix { $0 != "/" && $0 != "?" })
            let rest = withoutFragment.dropFirst(authority.count)
            path = String(rest.prefix { $0 != "?" })
            query = String(rest.dropFirst(path.count))
            let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
            guard !host.isEmpty, !host.hasPrefix(":") else { return nil }
            guard address.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { return nil }
        }

        var text: String { "\(scheme)://\(authority)\(path)\(query)" }

        private static func range(of separator: String, in text: String) -> Range<String.Index>? {
            text.firstRange(of: separator)
        }
    }
}
