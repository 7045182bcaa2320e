import EventLog
import Pipeline

/// The spool on disk: a log of its own below the data directory, one stream for each key.
///
/// Three families of streams, told apart by the first byte of their names: what waits, what was noted before a message was
/// sent, and what was set aside for people. The log's ids are the order; what it has answered is on disk.
final class SpoolLog: SpoolStore {
    private enum Family: UInt8 {
        case waiting = 0x71
        case notes = 0x6E
        case aside = 0x61
    }

    private enum Field {
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
    }

    private let log: DurableLog
    private let clock: @Sendable () -> UInt64
    private static let pageMessages = 256

    /// `clock` gives the Unix time in milliseconds.
    init(log: DurableLog, clock: @escaping @Sendable () -> UInt64) {
        self.log = log
        self.clock = clock
    }

    // MARK: What an earlier process has left

    /// Every key with what waits for it. Reads all of it.
    func contents() async throws(SpoolFailure) -> [(key: SpoolKey, messages: Int, bytes: Int)] {
        guard case .names(let names)? = try await ask([.keys(.list(pattern: nil))]).first else { return [] }
        var found: [(key: SpoolKey, messages: Int, bytes: Int)] = []
        for name in names {
            guard let key = Self.key(name) else { continue }
            var (messages, bytes) = (0, 0)
            var next: StreamID? = .zero
            while let lower = next {
                let page = StreamRange(key: name, lower: lower, upper: .max, count: Self.pageMessages)
                guard case .entries(let entries)? = try await ask([.range(page)]).first else { break }
                for message in entries.compactMap({ Self.message($0) }) {
                    messages += 1
                    bytes += message.byteCount
                }
                next = entries.count == Self.pageMessages ? entries.last?.id.next : nil
            }
            if messages > 0 { found.append((key, messages, bytes)) }
        }
        return found
    }

    private func ask(_ commands: [StreamCommand]) async throws(SpoolFailure) -> [StreamReply] {
        let result = await withCheckedContinuation { continuation in
            submit(commands, lane: 0) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    // MARK: SpoolStore

    func append(
        _ message: SpooledMessage, to key: SpoolKey,
        completion: @escaping @Sendable (Result<StreamEntryID, SpoolFailure>) -> Void
    ) {
        let name = Self.name(.waiting, key)
        let command = StreamCommand.append(StreamAppend(key: name, fields: Self.fields(message)))
        submit([command], key) { result in
            completion(
                result.flatMap { replies in
                    guard case .appended(let id, _)? = replies.first else {
                        return .failure(SpoolFailure(reason: "the spool answered something else"))
                    }
                    return .success(StreamEntryID(milliseconds: id.milliseconds, sequence: id.sequence))
                })
        }
    }

    func load(
        _ key: SpoolKey, most: Int, completion: @escaping @Sendable (Result<[SpooledMessage], SpoolFailure>) -> Void
    ) {
        let waiting = StreamRange(key: Self.name(.waiting, key), lower: .zero, upper: .max, count: most)
        let notes = StreamRange(
            key: Self.name(.notes, key), lower: .zero, upper: .max, count: 1, isReversed: true)
        submit([.range(waiting), .range(notes)], key) { result in
            completion(
                result.map { replies in
                    guard case .entries(let entries)? = replies.first else { return [] }
                    var messages = entries.compactMap { Self.message($0) }
                    if case .entries(let noted)? = replies.last, let note = noted.first?.fields {
                        Self.apply(note, to: &messages)
                    }
                    return messages
                })
        }
    }

    /// There is a note of the oldest message that is to be sent on alone, and it goes when that goes.
    private static func apply(_ note: EventFields, to messages: inout [SpooledMessage]) {
        guard let id = note.value(of: Field.message).flatMap({ Self.id($0) }),
            let index = messages.firstIndex(where: { $0.id == id })
        else { return }
        messages[index].note = note.value(of: Field.id).flatMap { Self.id($0) }
    }

    func note(
        _ key: SpoolKey, _ id: StreamEntryID, _ note: StreamEntryID,
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        var fields = EventFields()
        fields.append(name: Field.message, value: Array("\(id)".utf8))
        fields.append(name: Field.id, value: Array("\(note)".utf8))
        let append = StreamAppend(
            key: Self.name(.notes, key), fields: fields, trim: StreamTrim(.length(1)))
        submit([.append(append)], key) { completion($0.map { _ in }) }
    }

    func remove(
        _ key: SpoolKey, through id: StreamEntryID, completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        submit(Self.removing(key, through: id), key) { completion($0.map { _ in }) }
    }

    private static func removing(_ key: SpoolKey, through id: StreamEntryID) -> [StreamCommand] {
        let next = StreamID(id.milliseconds, id.sequence).next ?? .max
        return [
            .trim(key: name(.waiting, key), StreamTrim(.minimumID(next)), references: .keep),
            .keys(.delete(keys: [name(.notes, key)])),
        ]
    }

    func remove(
        _ key: SpoolKey, only id: StreamEntryID, completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        submit([.delete(key: Self.name(.waiting, key), ids: [StreamID(id.milliseconds, id.sequence)])], key) {
            completion($0.map { _ in })
        }
    }

    func setAside(
        _ key: SpoolKey, _ message: SpooledMessage, reason: String,
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        var fields = Self.fields(message)
        fields.append(name: Field.reason, value: Array(reason.utf8))
        let aside = StreamCommand.append(StreamAppend(key: Self.name(.aside, key), fields: fields))
        submit([aside] + Self.removing(key, through: message.id), key) { completion($0.map { _ in }) }
    }

    // MARK: The log

    private func submit(
        _ commands: [StreamCommand], _ key: SpoolKey,
        completion: @escaping @Sendable (Result<[StreamReply], SpoolFailure>) -> Void
    ) {
        submit(commands, lane: UInt64(truncatingIfNeeded: key.hashValue), completion: completion)
    }

    private func submit(
        _ commands: [StreamCommand], lane: UInt64,
        completion: @escaping @Sendable (Result<[StreamReply], SpoolFailure>) -> Void
    ) {
        log.submit(StreamUnit(commands, nowUnixMilliseconds: clock()), lane: lane) { outcome in
            switch outcome {
            case .replies(let replies):
                if case .failed(let error)? = replies.first {
                    return completion(.failure(SpoolFailure(reason: error.message)))
                }
                completion(.success(replies))
            case .conditionFailed: completion(.failure(SpoolFailure(reason: "a condition failed")))
            case .unavailable(let error): completion(.failure(SpoolFailure(reason: error.description)))
            }
        }
    }

    // MARK: Forms on disk

    /// The family, the listener, a zero byte, the database, a zero byte, the stream.
    private static func name(_ family: Family, _ key: SpoolKey) -> [UInt8] {
        [family.rawValue] + Array(key.listener.utf8) + [0] + Array("\(key.database)".utf8) + [0] + key.stream
    }

    private static func key(_ name: [UInt8]) -> SpoolKey? {
        guard name.first == Family.waiting.rawValue else { return nil }
        let parts = name.dropFirst().split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let database = Int(String(decoding: parts[1], as: UTF8.self)) else { return nil }
        return SpoolKey(
            listener: String(decoding: parts[0], as: UTF8.self), database: database, stream: Array(parts[2]))
    }

    /// The names of the fields tell what kind of message it is.
    private static func fields(_ message: SpooledMessage) -> EventFields {
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
        return fields
    }

    private static func message(_ entry: StreamEntry) -> SpooledMessage? {
        guard let fields = entry.fields, let content = content(fields) else { return nil }
        return SpooledMessage(
            content,
            traceParent: fields.value(of: Field.context).map { String(decoding: $0, as: UTF8.self) } ?? "",
            id: StreamEntryID(milliseconds: entry.id.milliseconds, sequence: entry.id.sequence))
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

    private static func id(_ text: ArraySlice<UInt8>) -> StreamEntryID? {
        let parts = String(decoding: text, as: UTF8.self).split(separator: "-")
        guard parts.count == 2, let milliseconds = UInt64(parts[0]), let sequence = UInt64(parts[1]) else { return nil }
        return StreamEntryID(milliseconds: milliseconds, sequence: sequence)
    }
}
