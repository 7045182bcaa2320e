import Telemetry
import Wire

/// One server's word on the way of a message that it was asked to trace (`Nats-Trace-Dest`, servers 2.11 and newer).
///
/// `{"server": {"name": ...}, "request": {"header": {"traceparent": [...]}, ...}, "events": [{"type": "in", "ts": ...,
/// "subj": ...}, {"type": "eg", ...}]}` (NATS architecture decision record 41).
struct NATSMessagePath {
    /// The context that the message carried: that of its send span.
    private(set) var context: TraceContext?
    private(set) var server = 0..<0
    private(set) var subject = 0..<0
    private(set) var startUnixNanoseconds: UInt64 = 0
    private(set) var endUnixNanoseconds: UInt64 = 0
    /// Some step of the way failed.
    private(set) var hasError = false

    /// Nil when the text is nothing of the kind, or tells no time.
    init?(_ bytes: Span<UInt8>, _ text: Range<Int>) {
        guard var members = JSONMembers(bytes, in: text) else { return nil }
        while let member = members.next(bytes) {
            if JSONMembers.isKey(member, bytes, "server") {
                server = Self.text(of: "name", bytes, in: member.value) ?? server
            } else if JSONMembers.isKey(member, bytes, "request") {
                readRequest(bytes, member.value)
            } else if JSONMembers.isKey(member, bytes, "events") {
                for event in Self.objects(bytes, in: member.value) { readEvent(bytes, event) }
            }
        }
        guard members.isComplete, context != nil, startUnixNanoseconds > 0 else { return nil }
    }

    private mutating func readRequest(_ bytes: Span<UInt8>, _ object: Range<Int>) {
        guard var members = JSONMembers(bytes, in: object) else { return }
        while let member = members.next(bytes) {
            guard JSONMembers.isKey(member, bytes, "header"), var headers = JSONMembers(bytes, in: member.value) else {
                continue
            }
            while let header = headers.next(bytes) {
                guard ContextNames.isTraceParent(bytes, header.key) || JSONMembers.isKey(header, bytes, "Xraceparent"),
                    let start = header.value.first(where: { bytes[$0] == UInt8(ascii: "\"") }),
                    start + 1 + TraceContext.textLength <= header.value.upperBound
                else { continue }
                let value = start + 1..<start + 1 + TraceContext.textLength
                context = TraceContext(parsing: bytes.extracting(value))
            }
        }
    }

    private mutating func readEvent(_ bytes: Span<UInt8>, _ object: Range<Int>) {
        guard var members = JSONMembers(bytes, in: object) else { return }
        while let member = members.next(bytes) {
            guard let text = JSONMembers.text(member, bytes) else { continue }
            if JSONMembers.isKey(member, bytes, "ts"), let time = RFC3339Time.unixNanoseconds(bytes, in: text) {
                if startUnixNanoseconds == 0 || time < startUnixNanoseconds { startUnixNanoseconds = time }
                endUnixNanoseconds = max(endUnixNanoseconds, time)
            } else if JSONMembers.isKey(member, bytes, "subj"), subject.isEmpty {
                subject = text
            } else if JSONMembers.isKey(member, bytes, "error"), !text.isEmpty {
                hasError = true
            }
        }
    }

    private static func text(of key: StaticString, _ bytes: Span<UInt8>, in object: Range<Int>) -> Range<Int>? {
        guard var members = JSONMembers(bytes, in: object) else { return nil }
        while let member = members.next(bytes) {
            if JSONMembers.isKey(member, bytes, key) { return JSONMembers.text(member, bytes) }
        }
        return nil
    }

    /// The objects of an array, told apart by their brackets.
    private static func objects(_ bytes: Span<UInt8>, in array: Range<Int>) -> [Range<Int>] {
        var objects: [Range<Int>] = []
        var (depth, start, isText, isEscaped) = (0, 0, false, false)
        for index in array {
            let byte = bytes[index]
            if isText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isText = true
            case UInt8(ascii: "{"):
                if depth == 0 { start = index }
                depth += 1
            case UInt8(ascii: "}"):
                depth -= 1
                if depth == 0, objects.count < objectsMax { objects.append(start..<index + 1) }
                if depth < 0 { return objects }
            default: break
            }
        }
        return objects
    }

    private static let objectsMax = 256
}

/// Where a session has servers tell the way of its messages: a subscription of our own on the client's connection, of
/// which the client sees nothing.
struct NATSPathInbox {
    let subject: [UInt8]
    let sid: [UInt8]
    let sidHash: UInt64
    private let complaint: [UInt8]

    init(_ random: UInt64) {
        let digits = HexadecimalText.text(random)
        subject = Array("_INBOX.tacho.\(digits)".utf8)
        let name = Array("tacho\(digits)".utf8)
        sid = name
        sidHash = ByteHash.hash(name.span, 0..<name.count)
        complaint = Array("'Permissions Violation for Subscription to \"_INBOX.tacho.\(digits)\"".utf8)
    }

    /// What asks the server for them.
    var subscription: [UInt8] { Array("SUB ".utf8) + subject + [UInt8(ascii: " ")] + sid + [0x0D, 0x0A] }

    /// The line that a message gets.
    func appendHeader(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: Self.headerName)
        bytes.append(contentsOf: subject)
        NATSWriter.appendLineEnd(to: &bytes)
    }

    /// Bytes of that line.
    var headerBytes: Int { Self.headerName.count + subject.count + 2 }

    /// Whether the server says that the client may not subscribe to this.
    func isRefused(_ bytes: Span<UInt8>, _ text: Range<Int>) -> Bool {
        guard text.count >= complaint.count else { return false }
        for index in complaint.indices where bytes[text.lowerBound + index] != complaint[index] { return false }
        return true
    }

    /// Whether a header line is one that any Tachograph has written for this.
    static func isOurs(_ line: NATSHeaders.Line, _ bytes: Span<UInt8>) -> Bool {
        ASCIIText.isSame(bytes, in: line.name, "Nats-Trace-Dest")
            && ASCIIText.hasPrefix(bytes, in: line.value, "_INBOX.tacho.")
    }

    private static let headerName = Array("Nats-Trace-Dest: ".utf8)
}
