import Glibc
import NIOCore

/// Why the HTTP server did not start.
public struct GatewayError: Error, Hashable, CustomStringConvertible {
    /// The closed set of reasons.
    public enum Code: String, Sendable {
        /// Another process listens there.
        case addressInUse = "address in use"
        /// No interface of this machine has the address.
        case addressNotAvailable = "the address is not one of this machine"
        /// Ports below 1024 usually want privileges.
        case permissionDenied = "permission denied"
        /// The host name has no address.
        case unknownHost = "unknown host"
        /// Another system error.
        case other = "system error"
    }

    /// What went wrong.
    public let code: Code
    /// Where it was meant to listen.
    public let configuration: GatewayConfiguration
    /// The number of the system's error; 0 when there is none.
    public let systemErrorNumber: Int32

    /// Recognises the errors that binding a socket ends with; nil for any other.
    init?(configuration: GatewayConfiguration, cause: any Error) {
        self.configuration = configuration
        switch cause {
        case let error as IOError:
            code = Self.code(of: error.errnoCode)
            systemErrorNumber = error.errnoCode
        case is SocketAddressError, is SocketAddressError.UnknownHost:
            code = .unknownHost
            systemErrorNumber = 0
        default:
            return nil
        }
    }

    private static func code(of errorNumber: Int32) -> Code {
        switch errorNumber {
        case EADDRINUSE: .addressInUse
        case EADDRNOTAVAIL: .addressNotAvailable
        case EACCES, EPERM: .permissionDenied
        default: .other
        }
    }

    /// What happened and what to do.
    public var description: String {
        let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        let reason = code == .other ? "\(code.rawValue) \(systemErrorNumber)" : code.rawValue
        return "cannot listen on \(host):\(configuration.port): \(reason); "
            + "choose another address with --http HOST:PORT"
    }
}
