import Proxy
import Testing

@testable import Sidecar

@Suite("Socket endpoints")
struct EndpointTests {
    @Test(
        "texts that are endpoints, and how they are written back",
        arguments: [
            ("127.0.0.1:6379", Endpoint.tcp(host: "127.0.0.1", port: 6379), "127.0.0.1:6379"),
            ("6379", .tcp(host: "127.0.0.1", port: 6379), "127.0.0.1:6379"),
            ("0", .tcp(host: "127.0.0.1", port: 0), "127.0.0.1:0"),
            ("redis_1.shop-net:65535", .tcp(host: "redis_1.shop-net", port: 65_535), "redis_1.shop-net:65535"),
            ("[::1]:6379", .tcp(host: "::1", port: 6379), "[::1]:6379"),
            ("[fe80::1%eth0]:1", .tcp(host: "fe80::1%eth0", port: 1), "[fe80::1%eth0]:1"),
            ("0.0.0.0:080", .tcp(host: "0.0.0.0", port: 80), "0.0.0.0:80"),
            ("unix:/run/redis.sock", .unix(path: "/run/redis.sock"), "unix:/run/redis.sock"),
            ("unix:a:b", .unix(path: "a:b"), "unix:a:b"),
        ])
    func parses(text: String, endpoint: Endpoint, canonical: String) throws {
        #expect(try Endpoint(parsing: text) == endpoint)
        #expect(endpoint.description == canonical)
        #expect(try Endpoint(parsing: canonical) == endpoint)
    }

    @Test(
        "texts that are not, and why",
        arguments: [
            ("embedded", Endpoint.ParseError.embedded),
            ("redis://localhost:6379", .url),
            ("", .emptyHost), (":6379", .emptyHost),
            ("::1:6379", .bareIPv6), ("::", .bareIPv6),
            ("a b:1", .invalidHost), ("*:1", .invalidHost), ("300.0.0.1:1", .invalidHost), ("1.2.3:1", .invalidHost),
            ("[nope]:1", .invalidHost), ("[::1:1", .invalidHost), ("[::1%]:1", .invalidHost),
            ("localhost:65536", .invalidPort), ("localhost:-1", .invalidPort), ("localhost:+1", .invalidPort),
            ("localhost:99999999999999999999", .invalidPort), ("65536", .invalidPort), ("a:1:2", .invalidPort),
            ("localhost", .missingPort), ("localhost:", .missingPort), ("[::1]", .missingPort),
            ("[::1]6", .missingPort),
            ("unix:", .invalidPath), ("unix:" + String(repeating: "p", count: 108), .invalidPath),
            ("unix:a\0b", .invalidPath),
        ])
    func rejects(text: String, reason: Endpoint.ParseError) {
        #expect(throws: reason) { try Endpoint(parsing: text) }
    }

    @Test(
        "who can reach it",
        arguments: [
            ("localhost:1", true), ("127.8.8.8:1", true), ("[::1]:1", true), ("unix:a", true),
            ("0.0.0.0:1", false), ("[::]:1", false), ("redis:1", false),
        ])
    func loopback(text: String, isLoopback: Bool) throws {
        #expect(try Endpoint(parsing: text).isLoopback == isLoopback)
    }

    @Test(
        "which two cannot be listened on together",
        arguments: [
            ("1", "127.0.0.1:1", true), ("localhost:1", "127.0.0.1:1", true), ("0.0.0.0:1", "10.0.0.1:1", true),
            ("unix:a", "unix:a", true), ("1", "2", false), ("10.0.0.1:1", "10.0.0.2:1", false),
            ("0", "0", false), ("unix:a", "1", false),
        ])
    func collisions(first: String, second: String, collide: Bool) throws {
        let (first, second) = (try Endpoint(parsing: first), try Endpoint(parsing: second))
        #expect(first.collides(with: second) == collide)
        #expect(second.collides(with: first) == collide)
    }
}
