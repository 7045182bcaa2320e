import COTLP
import Export
import Testing

@Suite("Export state machine")
struct ExportStateMachineTests {
    private let second: UInt64 = 1_000_000_000

    private func machine(_ spans: Int = 10) -> ExportStateMachine {
        ExportStateMachine(policy: RetryPolicy(), spanCount: spans, now: 0)
    }

    private func response(
        _ status: Int, retryAfter: Int = 0, _ contentType: String? = nil, _ body: [UInt8] = []
    ) -> ExportAnswer {
        .response(status: status, retryAfterSeconds: retryAfter, contentType: contentType, body: body)
    }

    @Test("200 with an empty body is full success")
    func success() {
        var machine = machine()
        #expect(
            machine.answered(response(200), now: 1, random: 0.5) == .settle(exported: 10, rejected: 0, message: ""))
    }

    @Test(
        "Partial success is settled, never repeated, and its numbers are not trusted",
        arguments: [
            (3, "too old", 7, 3), (0, "be careful", 10, 0), (0, "", 10, 0), (99, "all", 0, 10), (-5, "odd", 10, 0),
        ] as [(Int64, String, Int, Int)])
    func partial(rejected: Int64, message: String, exported: Int, lost: Int) {
        var machine = machine()
        let body = ResponseBytes.partialSuccess(rejected: rejected, message: message)
        #expect(
            machine.answered(response(200, "application/x-protobuf", body), now: 1, random: 0.5)
                == .settle(exported: exported, rejected: lost, message: message))
    }

    @Test(
        "A 200 whose body is of another type or unreadable still is success",
        arguments: [("application/json", "{\"partialSuccess\":{}}"), ("application/x-protobuf", "\u{7f}?!")])
    func unreadableBody(contentType: String, body: String) {
        var machine = machine()
        #expect(
            machine.answered(response(200, contentType, Array(body.utf8)), now: 1, random: 0.5)
                == .settle(exported: 10, rejected: 0, message: ""))
    }

    @Test("These codes are repeated", arguments: [429, 502, 503, 504])
    func retryable(status: Int) {
        var machine = machine()
        #expect(
            machine.answered(response(status), now: 5, random: 0.5)
                == .retry(afterNanoseconds: second, kind: .status(status), message: ""))
    }

    @Test("All other codes are final", arguments: [301, 307, 400, 401, 403, 404, 408, 413, 415, 500, 501, 505, 599])
    func permanent(status: Int) {
        var machine = machine()
        #expect(
            machine.answered(response(status, retryAfter: 7), now: 5, random: 0.5)
                == .drop(.permanent, kind: .status(status), message: ""))
    }

    @Test(
        "Transport failures are repeated", arguments: TransportFailure.allCases.filter { $0 != .address })
    func transport(failure: TransportFailure) {
        var machine = machine()
        #expect(
            machine.answered(.failure(failure, detail: "why"), now: 5, random: 0.5)
                == .retry(afterNanoseconds: second, kind: .transport(failure), message: "why"))
    }

    @Test("An unusable address and an oversize response are final")
    func finalFailures() {
        var machine = machine()
        #expect(
            machine.answered(.failure(.address, detail: "bad"), now: 5, random: 0.5)
                == .drop(.permanent, kind: .transport(.address), message: "bad"))
        #expect(
            machine.answered(.oversizeResponse(status: 503), now: 5, random: 0.5)
                == .drop(.permanent, kind: .oversizeResponse, message: "the response is larger than 4 MiB"))
    }

    @Test("The back-off grows by half up to 30 s, and jitter moves it by up to half")
    func backOff() {
        var machine = machine()
        var delays: [UInt64] = []
        for random in [0.5, 0.5, 0, 0.999_999_999, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] {
            guard case .retry(let delay, _, _) = machine.answered(response(503), now: 0, random: random) else {
                Issue.record("a retry was expected")
                return
            }
            delays.append(delay / 1_000_000)
        }
        #expect(delays == [1_000, 1_500, 1_125, 5_062, 5_062, 7_593, 11_390, 17_085, 25_628, 30_000, 30_000])
    }

    @Test("Retry-After is honoured exactly, and the back-off goes on behind it")
    func retryAfter() {
        var machine = machine()
        #expect(
            machine.answered(response(429, retryAfter: 7), now: 0, random: 0)
                == .retry(afterNanoseconds: 7 * second, kind: .status(429), message: ""))
        #expect(
            machine.answered(response(429), now: 7 * second, random: 0.5)
                == .retry(afterNanoseconds: 1_500_000_000, kind: .status(429), message: ""))
    }

    @Test("No attempt begins later than five minutes after the first, however long the receiver asks for")
    func expired() {
        var machine = machine()
        #expect(
            machine.answered(response(503), now: 299 * second, random: 0.5)
                == .retry(afterNanoseconds: second, kind: .status(503), message: ""))
        #expect(
            machine.answered(response(503), now: 299 * second, random: 0.5)
                == .drop(.expired, kind: .status(503), message: ""))
        #expect(
            machine.answered(response(503, retryAfter: .max), now: 1, random: 0.5)
                == .drop(.expired, kind: .status(503), message: ""))
    }

    @Test("In a drain, attempts go on until its deadline, but not at a receiver that cannot be reached")
    func drain() {
        var machine = machine()
        #expect(
            machine.answered(response(503), now: 0, drainDeadline: 3 * second, random: 0.5)
                == .retry(afterNanoseconds: second, kind: .status(503), message: ""))
        #expect(
            machine.answered(response(503), now: 2 * second, drainDeadline: 3 * second, random: 0.5)
                == .drop(.shutdown, kind: .status(503), message: ""))
        #expect(
            machine.answered(.failure(.connect, detail: ""), now: 0, drainDeadline: 30 * second, random: 0.5)
                == .drop(.shutdown, kind: .transport(.connect), message: ""))
    }

    @Test("Error bodies are read as a status message or as text, and made fit for a log line")
    func errorBody() {
        let bodies: [(String?, [UInt8], String)] = [
            ("application/x-protobuf", ResponseBytes.status(message: "queue is full"), "queue is full"),
            (nil, ResponseBytes.status(message: "no type"), "no type"),
            ("text/plain; charset=utf-8", Array("request body too large\n".utf8), "request body too large"),
            ("application/json", Array("{\"message\":\"no\"}".utf8), "{\"message\":\"no\"}"),
            ("text/html", Array("a\u{1b}[31mb\r\nc".utf8), "a [31mb  c"),
            ("text/plain", [UInt8](repeating: 0x61, count: 9_999), String(repeating: "a", count: 256)),
        ]
        for (contentType, body, message) in bodies {
            var machine = machine()
            #expect(
                machine.answered(response(400, contentType, body), now: 0, random: 0.5)
                    == .drop(.permanent, kind: .status(400), message: message))
        }
    }
}

/// Responses as a collector packs them.
enum ResponseBytes {
    static func partialSuccess(rejected: Int64, message: String) -> [UInt8] {
        var tree = OTLPTree()
        let partial: UnsafeMutablePointer<Opentelemetry__Proto__Collector__Trace__V1__ExportTracePartialSuccess> =
            tree.message(opentelemetry__proto__collector__trace__v1__export_trace_partial_success__init)
        partial.pointee.rejected_spans = rejected
        partial.pointee.error_message = tree.text(message)
        let response: UnsafeMutablePointer<Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse> =
            tree.message(opentelemetry__proto__collector__trace__v1__export_trace_service_response__init)
        response.pointee.partial_success = partial
        return OTLPTree.packed(response)
    }

    static func status(message: String) -> [UInt8] {
        var tree = OTLPTree()
        let status: UnsafeMutablePointer<Google__Rpc__Status> = tree.message(google__rpc__status__init)
        status.pointee.message = tree.text(message)
        return OTLPTree.packed(status)
    }
}
