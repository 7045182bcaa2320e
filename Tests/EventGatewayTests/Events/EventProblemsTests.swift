import EventLog
import Gateway
import HTTPTypes
import Testing

@testable import EventGateway

@Suite("What errors of the log mean over HTTP")
struct EventProblemsTests {
    @Test(arguments: [
        (LogError.saturated(waiting: 3, limit: 2), "429 retry after 1 s"),
        (.diskFull, "507"),
        (.closed, "503 retry after 1 s"),
        (.directoryUnusable(path: "/secret", reason: "read-only /secret"), "503"),
        (.alreadyOpen(path: "/secret", processID: 7), "503"),
        (.corrupt(path: "/secret", detail: "page 3"), "503"),
        (.inputOutput(code: 10, detail: "/secret"), "503"),
    ])
    func ofTheLog(_ error: LogError, _ expected: String) {
        let problem = GatewayProblem(error)
        let again = problem.retryAfterSeconds.map { " retry after \($0) s" } ?? ""
        #expect("\(problem.status.code)\(again)" == expected)
        #expect(!problem.detail.contains("secret"))
    }

    @Test func ofACommand() {
        #expect(
            GatewayProblem(.unavailable(reason: "there are 9 streams"))
                == GatewayProblem(status: .serviceUnavailable, detail: "there are 9 streams"))
    }
}
