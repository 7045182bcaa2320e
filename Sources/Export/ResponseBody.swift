import COTLP

/// Reads what collectors answer, leniently: the status has already decided, the body only explains.
enum ResponseBody {
    struct PartialSuccess: Equatable {
        var rejectedSpans = 0
        var message = ""
    }

    /// The partial success of a 2xx response; "all accepted" when the body is empty, of another type or unreadable.
    static func partialSuccess(_ body: [UInt8], contentType: String?) -> PartialSuccess {
        guard isProtobuf(contentType),
            let response = opentelemetry__proto__collector__trace__v1__export_trace_service_response__unpack(
                nil, body.count, body)
        else { return PartialSuccess() }
        defer {
            opentelemetry__proto__collector__trace__v1__export_trace_service_response__free_unpacked(response, nil)
        }
        guard let partial = response.pointee.partial_success?.pointee else { return PartialSuccess() }
        return PartialSuccess(
            rejectedSpans: Int(clamping: partial.rejected_spans), message: shown(partial.error_message))
    }

    /// The message of an error response: that of the `google.rpc.Status`, or the text itself as many servers send it.
    static func errorMessage(_ body: [UInt8], contentType: String?) -> String {
        if isProtobuf(contentType), let status = google__rpc__status__unpack(nil, body.count, body) {
            defer { google__rpc__status__free_unpacked(status, nil) }
            return shown(status.pointee.message)
        }
        return shown(body)
    }

    /// A missing type is taken for the one that was asked for.
    private static func isProtobuf(_ contentType: String?) -> Bool {
        guard let contentType else { return true }
        let type = contentType.prefix { $0 != ";" }.lowercased()
        return type.hasPrefix("application/x-protobuf") || type.hasPrefix("application/protobuf")
    }

    private static func shown(_ text: UnsafeMutablePointer<CChar>?) -> String {
        guard let text else { return "" }
        return shown(Array(String(cString: text).utf8))
    }

    /// A stranger's text made fit for one log line: short, and without control characters.
    private static func shown(_ bytes: [UInt8]) -> String {
        var text = ""
        for scalar in String(decoding: bytes.prefix(256), as: UTF8.self).unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
            text.unicodeScalars.append(isControl ? " " : scalar)
        }
        while text.last == " " { text.removeLast() }
        return text
    }
}
