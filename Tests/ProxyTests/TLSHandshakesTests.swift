import Pipeline
import Testing

@testable import Proxy

/// `TLSHandshakes` by reference: an expectation cannot call what changes a value.
private final class Handshakes {
    private var handshakes: TLSHandshakes

    init(_ tls: SessionTLS) { handshakes = TLSHandshakes(tls) }

    func begin(_ side: Side) -> Bool { handshakes.begin(side) }
    func end(_ side: Side) -> Bool { handshakes.end(side) }
    func mayRead(_ side: Side) -> Bool { handshakes.mayRead(side) }
    func isUnderWay(_ side: Side) -> Bool { handshakes.isUnderWay(side) }
}

@Suite("What is read while sides shake hands") struct TLSHandshakesTests {
    @Test("without TLS everything is read at any time") func plain() {
        let handshakes = Handshakes(SessionTLS())
        #expect(handshakes.mayRead(.client) && handshakes.mayRead(.upstream))
        #expect(!handshakes.isUnderWay(.client))
    }

    @Test("from the first byte on, a side reads its own handshake, and nothing for a side that still shakes hands")
    func firstByte() {
        let handshakes = Handshakes(SessionTLS(client: .firstByte, upstream: .firstByte))
        #expect(handshakes.mayRead(.client) && handshakes.mayRead(.upstream))
        #expect(handshakes.end(.client))
        #expect(!handshakes.mayRead(.client))
        #expect(handshakes.mayRead(.upstream))
        #expect(handshakes.end(.upstream))
        #expect(handshakes.mayRead(.client) && handshakes.mayRead(.upstream))
    }

    @Test("after a greeting: the greeting is read, the client not before its handshake begins") func afterGreeting() {
        let handshakes = Handshakes(SessionTLS(client: .afterGreeting, upstream: .afterGreeting))
        #expect(!handshakes.mayRead(.client))
        #expect(handshakes.mayRead(.upstream))
        #expect(handshakes.begin(.upstream))
        #expect(handshakes.begin(.client))
        #expect(handshakes.mayRead(.client) && handshakes.mayRead(.upstream))
        #expect(handshakes.end(.upstream))
        #expect(!handshakes.mayRead(.upstream))
        #expect(handshakes.end(.client))
        #expect(handshakes.mayRead(.client) && handshakes.mayRead(.upstream))
    }

    @Test("a plain client is not read before an upstream that begins after its greeting is encrypted")
    func plainClientWaits() {
        let handshakes = Handshakes(SessionTLS(upstream: .afterGreeting))
        #expect(!handshakes.mayRead(.client))
        #expect(handshakes.begin(.upstream))
        #expect(!handshakes.mayRead(.client))
        #expect(handshakes.end(.upstream))
        #expect(handshakes.mayRead(.client))
    }

    @Test("nothing begins or ends twice, or unasked") func once() {
        let handshakes = Handshakes(SessionTLS(client: .afterGreeting))
        #expect(!handshakes.begin(.upstream))
        #expect(!handshakes.end(.client))
        #expect(handshakes.begin(.client))
        #expect(!handshakes.begin(.client))
        #expect(handshakes.end(.client))
        #expect(!handshakes.end(.client))
        #expect(!handshakes.begin(.client))
    }
}

@Suite("Stand-ins of an upstream") struct UpstreamDirectoryTests {
    private let configured = Endpoint.tcp(host: "10.0.0.1", port: 4222)

    private func endpoint(_ number: Int) -> Endpoint { .tcp(host: "10.0.0.\(number)", port: 4222) }

    @Test("what the upstream names stands in, in its order, without itself and without what does not read")
    func learning() {
        let directory = UpstreamDirectory(configured, isFollowed: true)
        #expect(directory.standIns(most: 3) == [])
        directory.learn(["10.0.0.1:4222", "10.0.0.2:4222", "nonsense", "10.0.0.2:4222", ":1", "a:0", "10.0.0.3:4222"])
        #expect(directory.standIns(most: 3) == [endpoint(2), endpoint(3)])
        #expect(directory.standIns(most: 1) == [endpoint(2)])
        directory.learn([])
        #expect(directory.standIns(most: 3) == [])
    }

    @Test("who has answered is asked first the next time") func answered() {
        let directory = UpstreamDirectory(configured, isFollowed: true)
        directory.learn(["10.0.0.2:4222", "10.0.0.3:4222", "10.0.0.4:4222"])
        directory.answered(endpoint(4))
        #expect(directory.standIns(most: 9) == [endpoint(4), endpoint(2), endpoint(3)])
        directory.answered(configured)
        #expect(directory.standIns(most: 9).count == 3)
    }

    @Test("a directory that does not follow learns nothing, and none learns without end") func bounds() {
        let deaf = UpstreamDirectory(configured, isFollowed: false)
        deaf.learn(["10.0.0.2:4222"])
        #expect(deaf.standIns(most: 3) == [])
        let directory = UpstreamDirectory(configured, isFollowed: true)
        directory.learn((1...1_000).map { "10.1.0.1:\($0)" })
        #expect(directory.standIns(most: 10_000).count == 64)
    }

    @Test(
        "addresses as servers write them",
        arguments: [
            ("host:1", Endpoint.tcp(host: "host", port: 1)), ("[::1]:4222", .tcp(host: "::1", port: 4222)),
            ("::1:4222", nil), ("host", nil), ("host:65536", nil), ("host:-1", nil), ("", nil), ("ho st:1", nil),
            ("nats://host:1", nil),
        ] as [(String, Endpoint?)])
    func addresses(text: String, endpoint: Endpoint?) {
        #expect(Endpoint(hostAndPort: text) == endpoint)
    }
}
