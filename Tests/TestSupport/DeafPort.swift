import Glibc

/// A loopback port that nobody listens on and nobody else can be given: whoever connects to it is refused, for as long as
/// this lives.
public final class DeafPort: Sendable {
    /// The port that the system picked.
    public let number: Int
    private let descriptor: Int32

    /// Nil where the system gives no socket.
    public init?() {
        let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard made >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(made, $0, length) == 0 && getsockname(made, $0, &length) == 0
            }
        }
        guard isBound else {
            close(made)
            return nil
        }
        descriptor = made
        number = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}
