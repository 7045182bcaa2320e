import Pipeline
import Telemetry

/// A PUB as clients send it.
func pub(_ subject: String, _ body: String, reply: String? = nil) -> String {
    "PUB \(subject) \(reply.map { $0 + " " } ?? "")\(body.utf8.count)\r\n\(body)\r\n"
}

/// An HPUB with headers in this order.
func hpub(_ subject: String, _ headers: [(String, String)], _ body: String, reply: String? = nil) -> String {
    let block = headerBlock(headers)
    let sizes = "\(block.utf8.count) \(block.utf8.count + body.utf8.count)"
    return "HPUB \(subject) \(reply.map { $0 + " " } ?? "")\(sizes)\r\n\(block)\(body)\r\n"
}

/// A MSG as servers send it.
func msg(_ subject: String, _ sid: String, _ body: String, reply: String? = nil) -> String {
    "MSG \(subject) \(sid) \(reply.map { $0 + " " } ?? "")\(body.utf8.count)\r\n\(body)\r\n"
}

/// An HMSG with headers in this order, and perhaps a status.
func hmsg(
    _ subject: String, _ sid: String, _ headers: [(String, String)], _ body: String, reply: String? = nil,
    status: String = ""
) -> String {
    let block = headerBlock(headers, status: status)
    let sizes = "\(block.utf8.count) \(block.utf8.count + body.utf8.count)"
    return "HMSG \(subject) \(sid) \(reply.map { $0 + " " } ?? "")\(sizes)\r\n\(block)\(body)\r\n"
}

func headerBlock(_ headers: [(String, String)], status: String = "") -> String {
    "NATS/1.0\(status.isEmpty ? "" : " " + status)\r\n" + headers.map { "\($0): \($1)\r\n" }.joined() + "\r\n"
}

/// What was forwarded to a server, as the server would hand it to the subscription `sid`.
func delivered(_ forwarded: String, to sid: String, reply: String? = nil) -> String {
    let line = forwarded.prefix { $0 != "\r\n" }
    var words = line.split(separator: " ").map(String.init)
    words[0] = words[0] == "PUB" ? "MSG" : "HMSG"
    words.insert(sid, at: 2)
    if let reply { words.insert(reply, at: 3) }
    return words.joined(separator: " ") + forwarded.dropFirst(line.count)
}

extension Injected {
    /// As headers.
    var headers: [(String, String)] { [("traceparent", traceparent), ("correlationid", correlation)] }
}

/// The headers that were added to a message, read out of what was forwarded.
func addedHeaders(_ forwarded: String) -> Injected? {
    func value(_ name: String) -> String? {
        forwarded.split(separator: "\r\n").first { $0.hasPrefix(name + ": ") }.map {
            String($0.dropFirst(name.count + 2))
        }
    }
    guard let traceparent = value("traceparent"), let context = TraceContext(parsing: Array(traceparent.utf8).span),
        InjectionMark.isPresent(in: context)
    else { return nil }
    return Injected(traceparent: traceparent, correlation: value("correlationid") ?? "")
}
