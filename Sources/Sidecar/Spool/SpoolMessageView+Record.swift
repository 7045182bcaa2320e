import Pipeline
import Telemetry
import Wire

extension SpoolMessageView {
    /// A message as people and programs see it.
    init(_ record: SpoolRecord, _ key: SpoolKey, _ state: SpoolState) {
        let message = record.message
        // Of what was set aside a note tells what its client was told; versions before this one made none.
        let isKnown = state == .waiting || message.formerID != nil
        self.init(
            id: "\(message.id)", state: state.rawValue, listener: key.listener, database: key.database,
            stream: key.streamText, reason: state == .setAside ? record.reason : nil, since: message.id.milliseconds,
            stored: isKnown ? message.answeredID.milliseconds : nil, promised: isKnown ? message.promise : nil,
            bytes: message.byteCount,
            traceID: TraceContext(parsing: Array(message.traceParent.utf8).span).map { "\($0.traceID)" })
        switch SpooledReading(message) {
        case .entry(let words, let fields):
            command = words.map { FieldView($0) }
            self.fields = fields.map { [FieldView($0.name), FieldView($0.value)] }
        case .publish(let subject, let headers, let body):
            command = [.text("HPUB"), FieldView(subject)]
            fields = headers.map { [FieldView($0.name), FieldView($0.value)] }
            self.body = FieldView(body)
        case .bytes(let head, let tail):
            self.head = FieldView(head)
            self.tail = FieldView(tail)
        }
    }
}

extension FieldView {
    init(_ bytes: [UInt8]) {
        if let text = String(validating: bytes, as: UTF8.self) {
            self = .text(text)
        } else {
            var encoded: [UInt8] = []
            Base64.append(bytes, to: &encoded)
            self = .base64(String(decoding: encoded, as: UTF8.self))
        }
    }
}
