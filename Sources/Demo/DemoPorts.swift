import NIOCore
import NIOPosix

/// Ports of this machine: which are free, and which answer.
enum DemoPorts {
    /// The address that was asked for, else the usual port of loopback, or port 0 where another program has that.
    static func address(_ wanted: String?, usual: Int) async -> String {
        if let wanted { return wanted }
        return await isFree(usual) ? "127.0.0.1:\(usual)" : "127.0.0.1:0"
    }

    static func isAnswering(_ port: Int) async -> Bool {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.milliseconds(500))
        guard let channel = try? await bootstrap.connect(host: "localhost", port: port).get() else { return false }
        try? await channel.close()
        return true
    }

    private static func isFree(_ port: Int) async -> Bool {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        guard let channel = try? await bootstrap.bind(host: "127.0.0.1", port: port).get() else { return false }
        try? await channel.close()
        return true
    }
}
