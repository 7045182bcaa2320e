import Foundation
import Pipeline
import Testing

/// Conversations captured between real clients and a real server, through a session.
@Suite struct NATSFixtureTests {
    static let names = ["core", "requests", "verbose", "jetstream", "ordered", "stores", "errors"]

    private func bytes(_ name: String) throws -> [UInt8] {
        var tests = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { tests.deleteLastPathComponent() }
        return Array(try Data(contentsOf: tests.appendingPathComponent("Fixtures/nats/\(name).nats")))
    }

    @Test("nothing is changed where nothing is injected", arguments: names) func transparent(name: String) throws {
        let client = try bytes("client-\(name)")
        let server = try bytes("server-\(name)")
        for chunk in [1, 7, 1_000_000] {
            let session = World(inject: .never, system: "nats", nats: NATSOptions(advertised: .server)).connectNATS()
            var fromServer = server[...]
            var fromClient = client[...]
            var toClient: [UInt8] = []
            var toServer: [UInt8] = []
            // The greeting comes first; after that both sides speak as they like.
            let greeting = (server.firstIndex(of: 0x0A) ?? 0) + 1
            toClient += session.upstream(Array(fromServer.prefix(greeting)))
            fromServer = fromServer.dropFirst(greeting)
            while !fromServer.isEmpty || !fromClient.isEmpty {
                toServer += session.client(Array(fromClient.prefix(chunk)))
                fromClient = fromClient.dropFirst(chunk)
                toClient += session.upstream(Array(fromServer.prefix(chunk)))
                fromServer = fromServer.dropFirst(chunk)
            }
            #expect(toClient == server, "chunks of \(chunk)")
            // Only the client that was written by hand has not asked for headers.
            if name != "errors" { #expect(toServer == client, "chunks of \(chunk)") }
            #expect(session.opaque == nil)
        }
    }
}
