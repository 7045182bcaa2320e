import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing
import Wire

@testable import EventGateway
@testable import Gateway

@Suite("The OpenAPI document is true")
struct OpenAPITests {
    /// Method and path of every operation that the document describes.
    private static let described: Set<String> = {
        guard case .object(let paths)? = OpenAPIDocument.value["paths"] else { return [] }
        return Set(
            paths.flatMap { path in
                guard case .object(let operations) = path.value else { return [String]() }
                return operations.map { "\($0.name.uppercased()) \(path.name)" }
            })
    }()

    /// Every route is asked, in a process without a log: an operation says that there is none, and what is no operation
    /// names those of its path.
    @Test func whatIsDescribedIsServedAndNothingElse() async throws {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: ProblemMiddleware())
        EventGateway(log: nil).add(to: router)
        let routes = router.routes.map { (method: $0.method, path: "\($0.path)") }
        let served = try await Application(router: router).test(.router) { client in
            var served: Set<String> = []
            for (method, path) in routes {
                let uri = path.replacing(/\{[a-z]*\}/, with: "1")
                let answer = try await client.execute(uri: uri, method: method) { $0 }
                let body = String(buffer: answer.body)
                if answer.status == .methodNotAllowed {
                    let methods = try #require(answer.headers[.allow]).split(separator: ", ")
                    #expect(methods.allSatisfy { Self.described.contains("\($0) \(path)") }, "\(path): \(methods)")
                } else {
                    #expect(
                        path == "/openapi.json" ? answer.status == .ok : body.contains("no event log"), "\(uri) \(body)"
                    )
                    served.insert("\(method) \(path)")
                }
            }
            return served
        }
        #expect(served == Self.described)
        #expect(served.count == EventOperation.allCases.count)
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
