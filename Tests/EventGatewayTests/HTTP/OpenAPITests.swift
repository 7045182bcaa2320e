import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing
import Wire

@testable import EventGateway

@Suite("The OpenAPI document is true")
struct OpenAPITests {
    /// Method and path of every operation that the document describes.
    private static let described: [(method: String, path: String)] = {
        guard case .object(let paths)? = OpenAPIDocument.value["paths"] else { return [] }
        return paths.flatMap { path in
            guard case .object(let operations) = path.value else { return [(method: String, path: String)]() }
            return operations.map { (method: $0.name.uppercased(), path: path.name) }
        }
    }()

    private func status(_ method: String, _ path: String) async throws -> (status: Int, body: String) {
        let router = Router(context: BasicRequestContext.self)
        EventGateway(log: nil).add(to: router)
        let uri = path.replacing("{number}", with: "1").replacing("{stream}", with: "s").replacing("{group}", with: "g")
        let method = try #require(HTTPRequest.Method(rawValue: method))
        return try await Application(router: router).test(.router) { client in
            try await client.execute(uri: uri, method: method) { ($0.status.code, String(buffer: $0.body)) }
        }
    }

    /// Without a log every operation says so, with its own error; what is not served does not get there.
    @Test func whatIsDescribedIsServed() async throws {
        #expect(Self.described.count == EventOperation.allCases.count)
        for (method, path) in Self.described where path != "/openapi.json" {
            let router = Router(context: BasicRequestContext.self)
            EventGateway(log: nil).add(to: router)
            let known = EventOperation.allCases.first { $0.path == path && $0.method.rawValue == method }
            #expect(known != nil, "\(method) \(path)")
        }
        #expect(try await status("GET", "/openapi.json").status == 200)
    }

    @Test func whatIsServedIsDescribed() async throws {
        for operation in EventOperation.allCases {
            #expect(Self.described.contains { $0 == (operation.method.rawValue, operation.path) })
        }
    }

    @Test func everySchemaThatIsNamedIsThere() throws {
        guard case .object(let schemas)? = OpenAPIDocument.value["components"]?["schemas"] else {
            Issue.record("no schemas")
            return
        }
        let names = Set(schemas.map(\.name))
        #expect(names.count == schemas.count)
        #expect(names.isSuperset(of: ["CloudEvent", "Problem", "Backoff", "DeadLetter"]))
        let text = String(decoding: OpenAPIDocument.value.encoded, as: UTF8.self)
        for match in text.matches(of: /"#\/components\/schemas\/([A-Za-z]*)"/) {
            #expect(names.contains(String(match.output.1)), "\(match.output.1)")
        }
    }
}
