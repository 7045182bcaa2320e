import HTTPTypes
public import Hummingbird

/// Whether a request that changes something may have been sent by a foreign web page.
///
/// A browser names the page's site in `Origin` (or `null`) with every POST across sites, and in `Host` the name that it
/// resolved: a page whose own name was made to resolve to this machine (DNS rebinding) shows its name there. So an order
/// must come without `Origin`, and with a `Host` that is an address or `localhost`, which nobody can rebind.
public enum RequestOrigin {
    /// Refuses what a web page has sent. Browsers put `Origin` on every request that may change something.
    public static func refuseWebPages(_ request: Request) throws(GatewayProblem) {
        if request.headers[.origin] != nil { throw fromWebPage }
    }

    private static let fromWebPage = GatewayProblem(
        status: .forbidden, detail: "orders are not taken from web pages")

    static func check(_ request: Request) throws(GatewayProblem) {
        if let problem = refusal(origin: request.headers[.origin], authority: request.head.authority) { throw problem }
    }

    /// Why an order is not taken; nil takes it.
    static func refusal(origin: String?, authority: String?) -> GatewayProblem? {
        if origin != nil { return fromWebPage }
        guard let authority, isAddress(authority) else {
            return GatewayProblem(
                status: .forbidden, detail: "orders are taken under an IP address or localhost only, not under a name")
        }
        return nil
    }

    /// `localhost`, an IPv4 address or an IPv6 address in brackets, each perhaps with a port.
    static func isAddress(_ authority: String) -> Bool {
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return false }
            return isPort(authority[authority.index(after: end)...])
                && authority[..<end].dropFirst().allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
        }
        let host = authority.prefix { $0 != ":" }
        guard isPort(authority.dropFirst(host.count)) else { return false }
        if host.lowercased() == "localhost" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.isEmpty || (text.first == ":" && UInt16(text.dropFirst()) != nil)
    }
}
