import CCurl
import Telemetry

/// Posts requests to one address with libcurl and keeps the connection open between them.
///
/// It blocks, and belongs to the one thread that made it. It neither retries nor judges: answers go to
/// `ExportStateMachine`.
package struct CurlTransport: ~Copyable {
    private let handle: UnsafeMutableRawPointer
    private var headers: UnsafeMutablePointer<curl_slist>?
    private let response = ResponseCollector()
    private var compressor: GzipCompressor?

    /// `libcurl` wants this before any other call, once, while no other thread uses it.
    private static let globalState: CURLcode = curl_global_init(Int(CURL_GLOBAL_SSL))

    package init(configuration: ExportConfiguration) {
        precondition(Self.globalState == CURLE_OK, "libcurl could not be initialized")
        guard let handle = curl_easy_init() else { preconditionFailure("libcurl has no memory for a handle") }
        self.handle = handle
        compressor = configuration.compression == .gzip ? GzipCompressor() : nil
        setAddress(configuration)
        setHeaders(configuration)
        setLimits()
        setResponse()
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(headers)
    }

    /// Posts `body` and waits for the answer, at most for the timeout. `isInterrupted` is asked about once a second.
    ///
    /// - Parameter sentBytes: Set to the size of the body as sent, after compression.
    package mutating func post(
        _ body: UnsafeBufferPointer<UInt8>, timeoutMilliseconds: Int, sentBytes: inout Int,
        isInterrupted: @escaping () -> Bool
    ) -> ExportAnswer {
        response.begin(isInterrupted)
        set(CURLOPT_TIMEOUT_MS, timeoutMilliseconds)
        set(CURLOPT_CONNECTTIMEOUT_MS, min(timeoutMilliseconds, 5_000))
        let handle = handle
        let perform = { (body: UnsafeBufferPointer<UInt8>) -> (CURLcode, Int) in
            tacho_curl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
            tacho_curl_set_pointer(handle, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: body.baseAddress))
            return (curl_easy_perform(handle), body.count)
        }
        let code: CURLcode
        (code, sentBytes) = compressor?.withCompressed(body, perform) ?? perform(body)
        return answer(code)
    }

    private func setAddress(_ configuration: ExportConfiguration) {
        set(CURLOPT_URL, configuration.endpoint ?? "")
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_FOLLOWLOCATION, 0)
        let files = configuration.tlsFiles
        if !files.authorities.isEmpty { set(CURLOPT_CAINFO, files.authorities) }
        if !files.clientCertificate.isEmpty { set(CURLOPT_SSLCERT, files.clientCertificate) }
        if !files.clientKey.isEmpty { set(CURLOPT_SSLKEY, files.clientKey) }
    }

    private mutating func setHeaders(_ configuration: ExportConfiguration) {
        let version = TachographVersion.text
        set(CURLOPT_USERAGENT, "tacho/\(version) OTel-OTLP-Exporter-Swift/\(version)")
        var lines = ["Content-Type: application/x-protobuf"]
        if compressor != nil { lines.append("Content-Encoding: gzip") }
        // libcurl would ask for permission to send bodies above 1 MiB, and wait a second for servers that ignore that.
        lines.append("Expect:")
        let reserved: Set = ["content-type", "content-encoding", "content-length", "transfer-encoding", "expect"]
        for field in configuration.headers where !reserved.contains(field.name.lowercased()) {
            // "Name:" alone would mean to libcurl not to send its own header of that name.
            lines.append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        for line in lines { headers = curl_slist_append(headers, line) }
        tacho_curl_set_headers(handle, headers)
        set(CURLOPT_ACCEPT_ENCODING, "gzip")
    }

    private func setLimits() {
        set(CURLOPT_POST, 1)
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        // Collectors close idle connections after a minute; one that is nearly that old is not used again.
        set(CURLOPT_MAXAGE_CONN, 50)
    }

    private func setResponse() {
        let context = Unmanaged.passUnretained(response).toOpaque()
        tacho_curl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        tacho_curl_set_write_function(handle) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            // libcurl promises a size of 1.
            let chunk = UnsafeRawBufferPointer(start: bytes, count: count * size)
            return Unmanaged<ResponseCollector>.fromOpaque(context).takeUnretainedValue().take(chunk)
        }
        set(CURLOPT_NOPROGRESS, 0)
        tacho_curl_set_pointer(handle, CURLOPT_XFERINFODATA, context)
        tacho_curl_set_progress_function(handle) { context, _, _, _, _ in
            guard let context else { return 0 }
            return Unmanaged<ResponseCollector>.fromOpaque(context).takeUnretainedValue().isInterrupted() ? 1 : 0
        }
    }

    private func answer(_ code: CURLcode) -> ExportAnswer {
        var status = 0
        tacho_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        if response.isOversize { return .oversizeResponse(status: status) }
        switch code {
        case CURLE_OK:
            return received(status, response.body)
        case CURLE_BAD_CONTENT_ENCODING:
            // The status has come, only its explanation cannot be read.
            return received(status, [])
        default:
            return .failure(Self.failure(code), detail: String(cString: curl_easy_strerror(code)))
        }
    }

    private func received(_ status: Int, _ body: [UInt8]) -> ExportAnswer {
        var retryAfter: curl_off_t = 0
        tacho_curl_get_size(handle, CURLINFO_RETRY_AFTER, &retryAfter)
        var contentType: UnsafePointer<CChar>?
        tacho_curl_get_text(handle, CURLINFO_CONTENT_TYPE, &contentType)
        return .response(
            status: status, retryAfterSeconds: max(0, Int(retryAfter)),
            contentType: contentType.map { String(cString: $0) }, body: body)
    }

    private static func failure(_ code: CURLcode) -> TransportFailure {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT: .connect
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE: .closed
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR:
            .tls
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .address
        case CURLE_ABORTED_BY_CALLBACK: .interrupted
        default: .other
        }
    }

    private func set(_ option: CURLoption, _ value: Int) {
        tacho_curl_set_long(handle, option, value)
    }

    private func set(_ option: CURLoption, _ value: String) {
        tacho_curl_set_text(handle, option, value)
    }
}

/// Collects one response up to the limit; its address is what libcurl hands to the callbacks.
private final class ResponseCollector {
    private(set) var body: [UInt8] = []
    private(set) var isOversize = false
    private(set) var isInterrupted: () -> Bool = { false }

    func begin(_ isInterrupted: @escaping () -> Bool) {
        body.removeAll(keepingCapacity: true)
        isOversize = false
        self.isInterrupted = isInterrupted
    }

    /// The number of bytes taken; fewer than there are end the transfer.
    func take(_ chunk: UnsafeRawBufferPointer) -> Int {
        guard body.count + chunk.count <= ExportConfiguration.responseBytesLimit else {
            isOversize = true
            return 0
        }
        body.append(contentsOf: chunk)
        return chunk.count
    }
}
