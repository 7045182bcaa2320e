import Glibc
import NIOCore
import NIOPosix
import Pipeline
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Proxy

/// Listeners with real sockets, on loopback and with ports that the system picks.
@Suite(.serialized) struct ListenerTests {
    @Test func aRefusedUpstreamIsAnErrorInTheClientsProtocol() async throws {
        let port = try #require(DeafPort())
        let bench = try await Bench(RedisSession.self, upstream: .tcp(host: "127.0.0.1", port: port.number))
        let client = try await bench.connect()
        try await client.send("PING\r\n")
        let answer = try await client.receiveUntilClosed()
        #expect(answer.hasPrefix("-ERR tacho: upstream 127.0.0.1:"))
        #expect(answer.hasSuffix(" is not reachable: Connection refused\r\n"))
        #expect(bench.events.count == 1)
        #expect(bench.metric("tacho_upstream_failures_total{listener=\"test\",reason=\"refused\"}") == 1)
        try await bench.stop()
        withExtendedLifetime(port) {}
    }

    @Test func anUpstreamSocketThatDoesNotExist() async throws {
        let bench = try await Bench(EchoMachine.self, upstream: .unix(path: "/nowhere/at/all"))
        let client = try await bench.connect()
        try await client.send("x")
        #expect(try await client.receiveUntilClosed().contains("No such file or directory"))
        #expect(bench.metric("tacho_upstream_failures_total{listener=\"test\",reason=\"other\"}") == 1)
        try await bench.stop()
    }

    @Test func bytesAndHalfCloseGoThroughSockets() async throws {
        let echo = try await EchoServer()
        let bench = try await Bench(EchoMachine.self, upstream: echo.endpoint)
        let client = try await bench.connect()
        let text = String(repeating: "0123456789", count: 100_000)
        try await client.send(text)
        try await client.finish()
        // The server answers all of it and only then closes.
        #expect(try await client.receiveUntilClosed() == text)
        try await bench.stop()
        #expect(bench.metric("tacho_connections{listener=\"test\"}") == 0)
        #expect(bench.metric("tacho_connections_accepted_total{listener=\"test\"}") == 1)
        try await echo.stop()
    }

    @Test func bothSidesMayBeUnixSockets() async throws {
        let directory = try TemporaryDirectory()
        let echo = try await EchoServer(path: directory.path("server"))
        let bench = try await Bench(
            EchoMachine.self, listen: .unix(path: directory.path("tacho")), upstream: echo.endpoint)
        let client = try await bench.connect()
        try await client.send("hello")
        try await client.finish()
        #expect(try await client.receiveUntilClosed() == "hello")
        try await bench.stop()
        try await echo.stop()
    }

    @Test func aSocketFileThatNobodyServesIsReplaced() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("tacho")
        try leaveSocketFile(path)
        let bench = try await Bench(EchoMachine.self, listen: .unix(path: path), upstream: .unix(path: "/nowhere"))
        let client = try await bench.connect()
        try await client.send("x")
        #expect(try await client.receiveUntilClosed().hasPrefix("no: "))
        try await bench.stop()
    }

    @Test func aSocketFileInUseIsNotStolen() async throws {
        let directory = try TemporaryDirectory()
        let echo = try await EchoServer(path: directory.path("server"))
        let error = await #expect(throws: ListenError.self) {
            _ = try await Bench(EchoMachine.self, listen: echo.endpoint, upstream: .unix(path: "/nowhere"))
        }
        #expect(
            error?.description
                == "cannot listen on \(echo.endpoint): Address already in use; choose another address, or stop what is "
                + "using it")
        let client = try await TestClient(echo.endpoint)
        try await client.send("mine")
        try await client.finish()
        #expect(try await client.receiveUntilClosed() == "mine")
        try await echo.stop()
    }

    @Test func aFileThatIsNoSocketIsNotRemoved() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("precious")
        try #require(close(creat(path, 0o600)) == 0)
        await #expect(throws: ListenError.self) {
            _ = try await Bench(EchoMachine.self, listen: .unix(path: path), upstream: .unix(path: "/nowhere"))
        }
        #expect(access(path, F_OK) == 0)
    }

    @Test func anUpstreamThatComesLaterServesTheNextClient() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("server")
        let bench = try await Bench(EchoMachine.self, upstream: .unix(path: path))
        let early = try await bench.connect()
        try await early.send("early")
        #expect(try await early.receiveUntilClosed().hasPrefix("no: "))
        let echo = try await EchoServer(path: path)
        let client = try await bench.connect()
        try await client.send("hello")
        try await client.finish()
        #expect(try await client.receiveUntilClosed() == "hello")
        try await bench.stop()
        try await echo.stop()
    }

    /// What a killed process leaves behind.
    private func leaveSocketFile(_ path: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let address = try SocketAddress(unixDomainSocketPath: path)
        try #require(address.withSockAddr { bind(descriptor, $0, socklen_t($1)) } == 0)
        close(descriptor)
        try #require(access(path, F_OK) == 0)
    }
}
