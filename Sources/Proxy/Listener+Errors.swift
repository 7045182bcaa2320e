import Glibc
import NIOCore
import NIOPosix

/// What the operating system's refusals are called, for people and for labels.
extension Listener {
    var connectionRefusedCode: Int32 { ECONNREFUSED }
    var addressNotAvailableCode: Int32 { EADDRNOTAVAIL }

    /// Removes a socket file. A connection to a plain file is refused too, but such a file is somebody's data.
    func unlinkSocket(_ path: String) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return false }
        return unlink(path) == 0
    }

    /// One line without the addresses that the caller names anyway.
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case let error as NIOConnectionError:
            error.connectionErrors.last.map { reason($0.error) } ?? "the host name does not resolve"
        case let error as ChannelError: reason(error)
        default: "\(error)"
        }
    }

    private static func reason(_ error: ChannelError) -> String {
        if case .connectTimeout(let limit) = error { return "no answer within \(limit.nanoseconds / 1_000_000) ms" }
        return "\(error)"
    }

    static func failure(_ error: any Error) -> ListenerMetrics.UpstreamFailure {
        switch error {
        case let error as IOError: error.errnoCode == ECONNREFUSED ? .refused : .other
        case let error as NIOConnectionError: error.connectionErrors.last.map { failure($0.error) } ?? .unresolved
        case ChannelError.connectTimeout: .timeout
        default: .other
        }
    }
}
