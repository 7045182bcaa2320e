import EventLog
import Pipeline

/// How the spool looks on disk: names of streams, and fields of messages.
extension SpoolLog {
    enum Family: UInt8 {
        case waiting = 0x71
        case notes = 0x6E
        case aside = 0x61

        init(_ state: SpoolState) { self = state == .waiting ? .waiting : .aside }
    }

    enum Field {
        static let head = Array("head".utf8)
        static let tail = Array("tail".utf8)
        static let subject = Array("subject".utf8)
        static let headers = Array("headers".utf8)
        static let body = Array("body".utf8)
        static let stream = Array("stream".utf8)
        static let domain = Array("domain".utf8)
        static let context = Array("context".utf8)
        static let base = Array("base".utf8)
        static let message = Array("message".utf8)
        static let id = Array("id".utf8)
        static let reason = Array("reason".utf8)
        static let answered = Array("answered".utf8)
    }

    /// The family, the listener, a zero byte, the database, a zero byte, the stream.
    static func name(_ family: Family, _ key: SpoolKey) -> [UInt8] {
        [family.rawValue] + Array(key.listener.utf8) + [0] + Array("\(key.database)".utf8) + [0] + key.stream
    }

    static func place(_ name: [UInt8]) -> (family: Family, key: SpoolKey)? {
        guard let family = name.first.flatMap({ Family(rawValue: $0) }) else { return nil }
        let parts = name.dropFirst().split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let database = Int(String(decoding: parts[1], as: UTF8.self)) else { return nil }
        let listener = String(decoding: parts[0], as: UTF8.self)
        return (family, SpoolKey(listener: listener, database: database, stream: Array(parts[2])))
    }

    /// The names of the fields tell what kind of message it is.
    static func fields(_ message: SpooledMessage) -> EventFields {
        var fields = EventFields(reservingBytes: message.byteCount + 192)
        switch message.content {
        case .redis(let entry):
            fields.append(name: Field.head, value: entry.head)
            fields.append(name: Field.tail, value: entry.tail)
            fields.append(name: Field.base, value: Array("\(entry.sequenceBase)".utf8))
        case .nats(let publish):
            fields.append(name: Field.subject, value: publish.subject)
            fields.append(name: Field.headers, value: publish.headers)
            fields.append(name: Field.body, value: publish.body)
            fields.append(name: Field.stream, value: publish.stream.stream)
            fields.append(name: Field.domain, value: publish.stream.domain)
        }
        fields.append(name: Field.context, value: Array(message.traceParent.utf8))
        if let id = message.formerID { fields.append(name: Field.answered, value: Array("\(id)".utf8)) }
        return fields
    }

    static func message(_ entry: StreamEntry) -> SpooledMessage? {
        guard let fields = entry.fields, let content = content(fields) else { return nil }
        return SpooledMessage(
            content,
            traceParent: fields.value(of: Field.context).map { String(decoding: $0, as: UTF8.self) } ?? "",
            id: StreamEntryID(milliseconds: entry.id.milliseconds, sequence: entry.id.sequence),
            formerID: fields.value(of: Field.answered).flatMap { Self.id($0) })
    }

    static func record(_ entry: StreamEntry) -> SpoolRecord? {
        guard let message = message(entry) else { return nil }
        let reason = entry.fields?.value(of: Field.reason).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return SpoolRecord(message: message, reason: reason)
    }

    private static func content(_ fields: EventFields) -> SpooledMessage.Content? {
        if let head = fields.value(of: Field.head), let tail = fields.value(of: Field.tail),
            let base = fields.value(of: Field.base).flatMap({ UInt64(String(decoding: $0, as: UTF8.self)) })
        {
            return .redis(SpooledEntry(head: Array(head), tail: Array(tail), sequenceBase: base))
        }
        guard let subject = fields.value(of: Field.subject), let headers = fields.value(of: Field.headers),
            let body = fields.value(of: Field.body), let stream = fields.value(of: Field.stream),
            let domain = fields.value(of: Field.domain)
        else { return nil }
        return .nats(
            SpooledPublish(
                subject: Array(subject), headers: Array(headers), body: Array(body),
                stream: JetStreamName(stream: Array(stream), domain: Array(domain))))
    }

    static func id(_ text: ArraySlice<UInt8>) -> StreamEntryID? {
        let parts = String(decoding: text, as: UTF8.self).split(separator: "-")
        guard parts.count == 2, let milliseconds = UInt64(parts[0]), let sequence = UInt64(parts[1]) else { return nil }
        return StreamEntryID(milliseconds: milliseconds, sequence: sequence)
    }
}
