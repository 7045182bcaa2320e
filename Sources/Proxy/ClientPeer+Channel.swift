import Glibc
import NIOCore
import NIOPosix
import Pipeline

/// Asks the operating system who has connected.
extension ClientPeer {
    /// The answer of `SO_PEERCRED` (socket(7)): `struct ucred`.
    private struct Credentials: Sendable {
        var process: Int32 = 0
        var user: UInt32 = 0
        var group: UInt32 = 0
    }

    /// The process behind a unix socket, or the address behind a TCP connection. Never fails: what cannot be known is
    /// `unknown`, as is a process of another process namespace.
    static func of(_ channel: any Channel) -> EventLoopFuture<ClientPeer> {
        if let address = channel.remoteAddress?.ipAddress {
            return channel.eventLoop.makeSucceededFuture(.address(address))
        }
        guard let options = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeSucceededFuture(.unknown)
        }
        let answer: EventLoopFuture<Credentials> = options.unsafeGetSocketOption(
            level: SocketOptionLevel(SOL_SOCKET), name: SocketOptionName(SO_PEERCRED))
        return answer.map { credentials in
            guard credentials.process > 0 else { return .unknown }
            return .process(credentials.process, startedAt: startTime(ofProcess: credentials.process))
        }.recover { _ in .unknown }
    }

    /// When the process began, in clock ticks since the machine did: field 22 of `/proc/PID/stat` (proc(5)); 0 when that
    /// cannot be read. The second field is the program's name in parentheses and may hold blanks and parentheses.
    private static func startTime(ofProcess process: Int32) -> UInt64 {
        let file = open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 0 }
        defer { _ = close(file) }
        var bytes = [UInt8](repeating: 0, count: 1_024)
        let count = read(file, &bytes, bytes.count)
        guard count > 0, let name = bytes[..<count].lastIndex(of: UInt8(ascii: ")")) else { return 0 }
        let fields = bytes[(name + 1)..<count].split(separator: UInt8(ascii: " "))
        guard fields.count > 19 else { return 0 }
        return UInt64(String(decoding: fields[19], as: UTF8.self)) ?? 0
    }
}
