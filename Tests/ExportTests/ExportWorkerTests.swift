import CZlib
import Export
import Logging
import Synchronization
import Telemetry
import TestSupport
import Testing

/// Every row of the OTLP/HTTP rules, against a real connection; only the time between attempts is not real.
@Suite("Export over HTTP")
struct ExportWorkerTests {
    typealias Reply = ScriptedReceiver.Reply

    @Test("A request is what the specification asks for, and arrives whole")
    func request() async throws {
        try await ScriptedReceiver.with { receiver in
            let run = ExportRun(receiver.endpoint) {
                $0.headers = [
                    HeaderField(name: "Authorization", value: "Bearer s3cret"), HeaderField(name: "x-empty", value: ""),
                    HeaderField(name: "Content-Type", value: "text/plain"),
                ]
            }
            run.export(3)
            let request = try #require(receiver.requests.first)
            #expect(request.method == "POST" && request.uri == "/v1/traces")
            #expect(request.values("Content-Type") == ["application/x-protobuf"])
            #expect(request.values("User-Agent") == ["tacho/0.1.0 OTel-OTLP-Exporter-Swift/0.1.0"])
            #expect(request.values("Authorization") == ["Bearer s3cret"])
            #expect(request.values("x-empty") == [""])
            #expect(request.values("Accept-Encoding") == ["gzip"])
            #expect(request.values("Content-Encoding").isEmpty && request.values("Expect").isEmpty)
            #expect(try DecodedRequest(request.body).spans.map(\.traceID.last) == ["1", "2", "3"])
            #expect(run.ledger.exported == 3)
            #expect(run.outcomes == [.accepted])
            #expect(run.observations.first?.bytes == request.body.count)
        }
    }

    @Test(
        "Retryable codes are repeated with the same bytes until one succeeds",
        arguments: [
            [.answer(429)], [.answer(502)], [.answer(503), .answer(504)], [.close], [.truncated],
            [.close, .answer(503)],
        ] as [[Reply]])
    func repeated(script: [Reply]) async throws {
        try await ScriptedReceiver.with(script) { receiver in
            let run = ExportRun(receiver.endpoint)
            run.export(4)
            let bodies = Set(receiver.requests.map(\.body))
            #expect(receiver.requests.count == script.count + 1)
            #expect(bodies.count == 1)
            #expect(run.ledger.exported == 4 && run.ledger.droppedTotal == 0)
            #expect(run.retryDelays == Array([1_000, 1_500].prefix(script.count)))
            #expect(run.outcomes.last == .accepted)
        }
    }

    @Test(
        "Any other code loses the batch, counted, after one attempt",
        arguments: [301, 400, 401, 404, 408, 413, 500, 501])
    func final(status: Int) async throws {
        let script = [Reply.answer(status, headers: [("Location", "http://127.0.0.1:1/"), ("Retry-After", "3")])]
        try await ScriptedReceiver.with(script) { receiver in
            let run = ExportRun(receiver.endpoint)
            run.export(4)
            #expect(receiver.requests.count == 1)
            #expect(run.ledger.dropped(.permanent) == 4)
            #expect(run.outcomes == [.failed(.status(status))])
        }
    }

    @Test("Retry-After is honoured in seconds", arguments: [429, 503])
    func retryAfterSeconds(status: Int) async throws {
        try await ScriptedReceiver.with([.answer(status, headers: [("Retry-After", "7")])]) { receiver in
            let run = ExportRun(receiver.endpoint)
            run.export(1)
            #expect(run.retryDelays == [7_000])
            #expect(run.ledger.exported == 1)
        }
    }

    @Test("Retry-After is honoured as a date; one in the past or no date at all means back-off")
    func retryAfterDate() async throws {
        let date = HTTPDate.text(secondsFromNow: 290)
        let script = [
            Reply.answer(503, headers: [("Retry-After", date)]),
            .answer(503, headers: [("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")]),
            .answer(503, headers: [("Retry-After", "soon")]),
        ]
        try await ScriptedReceiver.with(script) { receiver in
            let run = ExportRun(receiver.endpoint)
            run.export(1)
            // The date has whole seconds and the real clock goes on.
            #expect((60_000...290_000).contains(run.retryDelays.first ?? 0))
            #expect(run.retryDelays.dropFirst() == [1_500, 2_250])
            #expect(run.ledger.exported == 1)
        }
    }

    @Test("Partial success counts what was rejected and is not repeated")
    func partialSuccess() async throws {
        let body = ResponseBytes.partialSuccess(rejected: 3, message: "too old")
        let script = [Reply.answer(200, headers: [("Content-Type", "application/x-protobuf")], body: body)]
        try await ScriptedReceiver.with(script) { receiver in
            let run = ExportRun(receiver.endpoint)
            run.export(10)
            #expect(receiver.requests.count == 1)
            #expect(run.ledger.exported == 7 && run.ledger.dropped(.rejected) == 3)
            #expect(run.outcomes == [.partiallyAccepted])
            #expect(run.log.lines.contains { $0.contains("too old") })
        }
    }

    @Test("A warning beside full success is only logged")
    func warning() async throws {
        let body = ResponseBytes.partialSuccess(rejected: 0, message: "slow down")
        try await ScriptedReceiver.with([.answer(200, body: body)]) { receiver in
            let run = ExportRun(receiver.endpoint)
            run.export(2)
            #expect(run.ledger.exported == 2)
            #expect(run.log.lines.contains { $0.contains("slow down") })
        }
    }

    @Test("A response beyond 4 MiB is not read to its end and loses the batch")
    func oversizeResponse() async throws {
        try await ScriptedReceiver.with([.flood(5 << 20)]) { receiver in
            let run = ExportRun(receiver.endpoint)
            run.export(2)
            #expect(run.ledger.dropped(.permanent) == 2)
            #expect(run.outcomes == [.failed(.oversizeResponse)])
        }
    }

    @Test("A response that never comes is a timeout, and repeated")
    func timeout() async throws {
        try await ScriptedReceiver.with([.silence]) { receiver in
            let run = ExportRun(receiver.endpoint) { $0.requestTimeoutMilliseconds = 150 }
            run.export(1)
            // On a busy machine the answer to a later attempt may take too long as well.
            #expect(run.outcomes.dropLast().allSatisfy { $0 == .retried(.transport(.timeout)) })
            #expect(run.outcomes.count > 1 && run.outcomes.last == .accepted)
            #expect(run.ledger.exported == 1)
        }
    }

    @Test("When nobody listens, attempts go on for five minutes and then the batch is counted as expired")
    func connectionRefused() throws {
        let port = try #require(DeafPort())
        let run = ExportRun("http://127.0.0.1:\(port.number)/v1/traces")
        run.export(5)
        #expect(run.ledger.dropped(.expired) == 5)
        #expect(run.retryDelays.reduce(0, +) <= 300_000)
        #expect(run.retryDelays.count > 10)
        #expect(run.outcomes.last == .failed(.transport(.connect)))
        // Many failures of one kind within minutes: far fewer lines.
        #expect(run.log.lines.count < run.outcomes.count)
        withExtendedLifetime(port) {}
    }

    @Test("An address that curl cannot use is final")
    func address() {
        let run = ExportRun("http://127.0.0.1:99999/v1/traces")
        run.export(1)
        #expect(run.ledger.dropped(.permanent) == 1)
    }

    @Test("gzip bodies inflate to the same request")
    func gzip() async throws {
        try await ScriptedReceiver.with { receiver in
            let run = ExportRun(receiver.endpoint) {
                $0.compression = .gzip
                $0.batchSize = 100
            }
            run.export(300)
            #expect(receiver.requests.count == 3)
            for request in receiver.requests {
                #expect(request.values("Content-Encoding") == ["gzip"])
                let inflated = inflate(request.body)
                #expect(inflated.count > 2 * request.body.count)
                let decoded = try DecodedRequest(inflated)
                #expect(decoded.spans.count == 100)
            }
            #expect(run.ledger.exported == 300)
        }
    }

    @Test("A response may be compressed")
    func gzipResponse() async throws {
        let body = ResponseBytes.partialSuccess(rejected: 1, message: "one")
        let headers = [("Content-Encoding", "gzip"), ("Content-Type", "application/x-protobuf")]
        try await ScriptedReceiver.with([.answer(200, headers: headers, body: deflated(body))]) { receiver in
            let run = ExportRun(receiver.endpoint)
            run.export(2)
            #expect(run.ledger.dropped(.rejected) == 1)
        }
        try await ScriptedReceiver.with([.answer(200, headers: headers, body: [1, 2, 3])]) { receiver in
            let run = ExportRun(receiver.endpoint)
            run.export(2)
            #expect(run.ledger.exported == 2)
        }
    }

    @Test("Requests use one connection, and bodies above 1 MiB go without asking first")
    func keepAlive() async throws {
        try await ScriptedReceiver.with { receiver in
            let run = ExportRun(receiver.endpoint)
            run.export(10_000)
            #expect(receiver.requests.count == 3)
            #expect(receiver.connections == 1)
            #expect(receiver.requests.contains { $0.body.count > 1 << 20 })
            #expect(receiver.requests.allSatisfy { $0.values("Expect").isEmpty })
            #expect(run.ledger.exported == 10_000)
        }
    }

    @Test("A batch is split by bytes, and a span beyond the limit is dropped alone")
    func split() async throws {
        try await ScriptedReceiver.with { receiver in
            let run = ExportRun(receiver.endpoint) { $0.requestBytesMax = 20_000 }
            var large = run.world.record(77)
            large.detail = SpanDetail(traceState: String(repeating: "s", count: 30_000))
            run.export(run.world.records(60) + [large] + run.world.records(60))
            #expect(receiver.requests.count > 3)
            #expect(receiver.requests.allSatisfy { $0.body.count <= 20_000 })
            #expect(run.ledger.exported == 120 && run.ledger.dropped(.oversize) == 1)
        }
    }

    @Test("Nothing secret is ever logged")
    func secrets() async throws {
        try await ScriptedReceiver.with([.answer(503), .answer(400)]) { receiver in
            let endpoint = receiver.endpoint.replacing("http://", with: "http://user:s3cret@") + "?key=s3cret"
            let run = ExportRun(endpoint) { $0.headers = [HeaderField(name: "authorization", value: "s3cret")] }
            run.export(1)
            #expect(!run.log.lines.isEmpty)
            #expect(run.log.lines.allSatisfy { !$0.contains("s3cret") })
        }
    }

    private func inflate(_ bytes: [UInt8]) -> [UInt8] {
        zlib(bytes, { tacho_gzip_inflate_init($0) }, CZlib.inflate, inflateEnd)
    }

    private func deflated(_ bytes: [UInt8]) -> [UInt8] {
        zlib(bytes, { tacho_gzip_deflate_init($0, 6) }, deflate, deflateEnd)
    }

    private func zlib(
        _ bytes: [UInt8], _ begin: (z_streamp) -> CInt, _ step: (z_streamp, CInt) -> CInt, _ end: (z_streamp) -> CInt
    ) -> [UInt8] {
        var stream = z_stream()
        var input = bytes
        var output = [UInt8](repeating: 0, count: 1 << 20)
        #expect(begin(&stream) == Z_OK)
        defer { _ = end(&stream) }
        let count = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                #expect(step(&stream, Z_FINISH) == Z_STREAM_END)
                return output.count - Int(stream.avail_out)
            }
        }
        return Array(output.prefix(count))
    }
}
