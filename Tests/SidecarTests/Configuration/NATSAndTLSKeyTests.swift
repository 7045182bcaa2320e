import Pipeline
import Proxy
import Testing

@testable import Sidecar

@Suite("Keys of NATS and of TLS")
struct NATSAndTLSKeyTests {
    @Test("a NATS listener with everything that needs no file")
    func natsListener() throws {
        let resolved = try load(
            """
            listeners:
              - protocol: nats
                listen: 14222
                upstream: nats.internal:4222
                tls: { upstream: { mode: handshake_first, server_name: other.internal, verify: any_name } }
                nats: { advertise: ["edge:14222", "[::1]:14223"], failover: off, message_path: on }
            """)
        let listener = try #require(resolved.configuration.listeners.first)
        #expect(listener.name == "nats@127.0.0.1:14222")
        #expect(
            listener.nats.options
                == NATSOptions(advertised: .listed(["edge:14222", "[::1]:14223"]), messagePath: true))
        #expect(listener.nats.failover == .off)
        #expect(listener.tls.sides(.nats) == SessionTLS(upstream: .firstByte))
        #expect(
            listener.tls.settings
                == TLSSettings(upstream: TLSSettings.Upstream(serverName: "other.internal", verification: .anyName)))
        #expect(
            ConfigurationReport(resolved).text.contains("; tls: listen off, upstream handshake_first, verify any_name)")
        )
    }

    @Test("without these keys nothing is encrypted, and clients stay behind the sidecar")
    func defaults() throws {
        let listener = try #require(try loadNATS("").listeners.first)
        #expect(listener.tls.sides(.nats) == SessionTLS())
        #expect(listener.tls.settings == nil)
        #expect(listener.nats.options == NATSOptions())
        #expect(listener.nats.failover == .on)
    }

    @Test(
        "when encryption begins",
        arguments: [
            (ListenerTLSConfiguration.Mode.on, BusProtocol.nats, SessionTLS.Beginning.afterGreeting),
            (.on, .redis, .firstByte), (.handshakeFirst, .nats, .firstByte), (.handshakeFirst, .redis, .firstByte),
            (.off, .nats, .never),
        ])
    func beginnings(mode: ListenerTLSConfiguration.Mode, bus: BusProtocol, beginning: SessionTLS.Beginning) {
        var tls = ListenerTLSConfiguration()
        tls.listen.mode = mode
        tls.upstream.mode = mode
        tls.listen.clientCA = "ca.pem"
        #expect(tls.sides(bus) == SessionTLS(client: beginning, clientIsVerified: true, upstream: beginning))
    }

    @Test("variables refine a listener that a flag has made")
    func variables() throws {
        var settings = CommandLineSettings()
        settings.nats = ["14222=4222"]
        let configuration = try ConfigurationLoader.load(
            settings,
            environment: [
                "TACHO_LISTENERS_0_NATS_ADVERTISE": "server", "TACHO_LISTENERS_0_TLS_UPSTREAM_MODE": "on",
                "TACHO_LISTENERS_0_TLS_UPSTREAM_VERIFY": "insecure_none",
            ]
        ).configuration
        #expect(configuration.listeners[0].nats.advertise == .server)
        #expect(configuration.listeners[0].tls.upstream.verify == .insecureNone)
    }

    @Test(
        "what does not fit together, at the key that is to be changed",
        arguments: [
            (
                "tls: { listen: { mode: on, certificate: c.pem } }",
                "tacho.yaml:5:28: listeners[0].tls.listen.mode: needs tls.listen.key too"
            ),
            (
                "tls: { upstream: { mode: on, key: k.pem } }",
                "tacho.yaml:5:39: listeners[0].tls.upstream.key: needs tls.upstream.certificate too"
            ),
            (
                "tls: { upstream: { ca: ca.pem } }",
                "tacho.yaml:5:28: listeners[0].tls.upstream.ca: has no effect while tls.upstream.mode is off; "
                    + "set that to on, or remove this"
            ),
            (
                "tls: { upstream: { mode: on, ca: /nowhere/ca.pem } }",
                "tacho.yaml:5:38: listeners[0].tls.upstream.ca: /nowhere/ca.pem cannot be read: "
                    + "No such file or directory"
            ),
            (
                "nats: { advertise: [14222] }",
                "tacho.yaml:5:24: listeners[0].nats.advertise: expected none, server, or 1 to 16 of HOST:PORT, "
                    + "separated by commas, found \"14222\""
            ),
        ])
    func mistakes(line: String, complaint: String) {
        #expect(complaints(Self.file(line)) == [complaint])
    }

    @Test("keys of NATS on another listener")
    func wrongProtocol() {
        #expect(
            complaints("listeners: [{ protocol: redis, listen: 1, upstream: 2, nats: { failover: on } }]") == [
                "tacho.yaml:1:74: listeners[0].nats.failover: is for listeners with protocol nats; remove it"
            ])
    }

    @Test("the log in this process needs no TLS")
    func embedded() {
        #expect(
            complaints(
                "listeners: [{ protocol: redis, listen: 1, upstream: embedded, tls: { upstream: { mode: on } } }]") == [
                    "tacho.yaml:1:88: listeners[0].tls.upstream.mode: has no meaning: "
                        + "the embedded event log is in this process"
                ])
    }

    @Test("an upstream that nobody checks is said aloud")
    func notice() throws {
        let resolved = try load(Self.file("tls: { upstream: { mode: on, verify: insecure_none } }"))
        #expect(resolved.notices.count == 1)
        #expect(resolved.notices.first?.contains("does not check who its upstream is") == true)
    }

    private static func file(_ line: String) -> String {
        "listeners:\n  - protocol: nats\n    listen: 14222\n    upstream: 4222\n    \(line)"
    }

    private func loadNATS(_ line: String) throws -> SidecarConfiguration { try load(Self.file(line)).configuration }
}
