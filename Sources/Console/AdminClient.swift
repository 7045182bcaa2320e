import CCurl
import Foundation
import Telemetry

/// Asks a running sidecar over HTTP, with libcurl, and waits for the answer.
public struct AdminClient: Sendable {
    private let address: AdminAddress

    /// `libcurl` wants this before any other call, once, while no other thread uses it.
    private static let globalState: CURLcode = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    /// A client of the sidecar at this address; connects when asked.
    public init(_ address: AdminAddress) {
        self.address = address
    }

    /// What is asked for.
    public enum Method: String, Sendable {
        case get = "GET"
        case put = "PUT"
        case post = "POST"
        case delete = "DELETE"
    }

    /// The whole answer, which is one line.
    public func document(
        _ path: String, _ parameters: [(name: String, value: String?)] = []
    ) throws(AdminError) -> String {
        try whole(.get, path, parameters, body: nil)
    }

    /// The answer to something that changes the sidecar. `body` is a JSON document.
    public func order(
        _ path: String, _ parameters: [(name: String, value: String?)] = [], method: Method = .post,
        body: String? = nil
    ) throws(AdminError) -> String {
        try whole(method, path, parameters, body: body)
    }

    /// Takes a resource away.
    public func remove(_ path: String) throws(AdminError) {
        try stream(path, [], patienceSeconds: 30, method: .delete) { _ in }
    }

    private func whole(
        _ method: Method, _ path: String, _ parameters: [(name: String, value: String?)], body: String?
    ) throws(AdminError) -> String {
        var lines: [String] = []
        try stream(path, parameters, patienceSeconds: 30, method: method, body: body) { lines.append($0) }
        guard lines.count == 1 else { throw AdminError(.answer, "\(address.endpoint) answered with no document") }
        return lines[0]
    }

    /// Each line of the answer as it comes, until the sidecar ends it.
    ///
    /// - Parameter patienceSeconds: how long the whole may take; 0 for ever.
    public func stream(
        _ path: String, _ parameters: [(name: String, value: String?)], patienceSeconds: Int = 0,
        method: Method = .get, body: String? = nil, onLine: @escaping (String) -> Void
    ) throws(AdminError) {
        guard Self.globalState == CURLE_OK, let handle = curl_easy_init() else {
            throw AdminError(.answer, "libcurl could not be started")
        }
        defer { curl_easy_cleanup(handle) }
        let answer = Answer(handle, onLine)
        let headers = Self.setRequest(handle, method, body)
        defer { curl_slist_free_all(headers) }
        tacho_curl_set_text(handle, CURLOPT_URL, address.url(path, parameters))
        tacho_curl_set_text(handle, CURLOPT_PROTOCOLS_STR, "http")
        tacho_curl_set_text(handle, CURLOPT_USERAGENT, "tacho/\(TachographVersion.text)")
        // The sidecar is beside us: a proxy for the way out would only be in the way.
        tacho_curl_set_text(handle, CURLOPT_NOPROXY, "*")
        tacho_curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        tacho_curl_set_long(handle, CURLOPT_TCP_KEEPALIVE, 1)
        tacho_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, 5_000)
        tacho_curl_set_long(handle, CURLOPT_TIMEOUT, patienceSeconds)
        tacho_curl_set_pointer(handle, CURLOPT_WRITEDATA, Unmanaged.passUnretained(answer).toOpaque())
        tacho_curl_set_write_function(handle) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let chunk = UnsafeRawBufferPointer(start: bytes, count: size * count)
            return Unmanaged<Answer>.fromOpaque(context).takeUnretainedValue().take(chunk)
        }
        let code = withExtendedLifetime(answer) { curl_easy_perform(handle) }
        try judge(code, answer)
    }

    /// Sets what is sent; the headers must live until it was.
    private static func setRequest(
        _ handle: UnsafeMutableRawPointer, _ method: Method, _ body: String?
    ) -> UnsafeMutablePointer<curl_slist>? {
        guard method != .get else { return nil }
        tacho_curl_set_text(handle, CURLOPT_CUSTOMREQUEST, method.rawValue)
        tacho_curl_set_long(handle, CURLOPT_POSTFIELDSIZE, body?.utf8.count ?? 0)
        tacho_curl_set_text(handle, CURLOPT_COPYPOSTFIELDS, body ?? "")
        guard body != nil else { return nil }
        let headers = curl_slist_append(nil, "Content-Type: application/json")
        tacho_curl_set_headers(handle, headers)
        return headers
    }

    private func judge(_ code: CURLcode, _ answer: Answer) throws(AdminError) {
        if code != CURLE_OK {
            let reason = String(cString: curl_easy_strerror(code))
            guard answer.status == 0 else {
                throw AdminError(.interrupted, "the sidecar at \(address.endpoint) went away: \(reason)")
            }
            throw AdminError(
                .unreachable,
                "no sidecar answers at \(address.endpoint) (\(reason)); start one with tacho run, or name its HTTP "
                    + "address with --http")
        }
        guard !answer.isGood else { return }
        let problem = try? JSONDecoder().decode(Problem.self, from: Data(answer.problem))
        guard let detail = problem?.detail else {
            throw AdminError(
                .answer, "\(address.endpoint) answers with status \(answer.status); is it a sidecar's HTTP server?")
        }
        throw AdminError(.refused, TerminalText.plain(detail))
    }

    /// What we read of a problem body (RFC 9457).
    private struct Problem: Decodable {
        var detail: String?
    }
}

/// Takes one answer in; its address is what libcurl hands to the callback.
private final class Answer {
    private let handle: UnsafeMutableRawPointer
    private let onLine: (String) -> Void
    private var splitter = LineSplitter()
    private(set) var problem: [UInt8] = []

    private static let problemBytesMax = 1 << 16

    init(_ handle: UnsafeMutableRawPointer, _ onLine: @escaping (String) -> Void) {
        self.handle = handle
        self.onLine = onLine
    }

    /// 0 before the head of an answer has come.
    var status: Int {
        var status = 0
        tacho_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    /// Whether what was asked for is there or done.
    var isGood: Bool { (200..<300).contains(status) }

    /// The number of bytes taken; fewer than there are end the transfer.
    func take(_ chunk: UnsafeRawBufferPointer) -> Int {
        guard isGood else {
            guard problem.count + chunk.count <= Self.problemBytesMax else { return 0 }
            problem.append(contentsOf: chunk)
            return chunk.count
        }
        guard let lines = splitter.lines(completedBy: chunk) else { return 0 }
        for line in lines { onLine(line) }
        return chunk.count
    }
}
