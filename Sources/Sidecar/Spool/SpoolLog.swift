import EventLog
import Pipeline

/// The spool on disk: a log of its own below the data directory, one stream for each key.
///
/// Three families of streams, told apart by the first byte of their names: what waits, what was noted before a message was
/// sent, and what was set aside for people. The log's ids are the order; what it has answered is on disk.
final class SpoolLog: SpoolStore {
    private let log: DurableLog
    private let clock: @Sendable () -> UInt64
    private static let pageMessages = 32

    /// `clock` gives the Unix time in milliseconds.
    init(log: DurableLog, clock: @escaping @Sendable () -> UInt64) {
        self.log = log
        self.clock = clock
    }

    // MARK: What an earlier process has left

    /// What is kept: keys with what waits for them, and with what was set aside.
    struct Contents {
        var waiting: [(key: SpoolKey, messages: Int, bytes: Int)] = []
        var setAside: [SpoolKey: SetAsideCount] = [:]
    }

    /// Everything, counted. Reads all of it.
    func contents() async throws(SpoolFailure) -> Contents {
        guard case .names(let names)? = try await ask([.keys(.list(pattern: nil))]).first else { return Contents() }
        var contents = Contents()
        for name in names {
            guard let (family, key) = Self.place(name), family != .notes else { continue }
            var (messages, bytes) = (0, 0)
            try await forEach(name) { record in
                messages += 1
                bytes += record.message.byteCount
                guard family == .aside else { return }
                contents.setAside[key, default: SetAsideCount()].add(record.reason, bytes: record.message.byteCount)
            }
            if family == .waiting, messages > 0 { contents.waiting.append((key, messages, bytes)) }
        }
        return contents
    }

    private func forEach(_ name: [UInt8], _ body: (SpoolRecord) -> Void) async throws(SpoolFailure) {
        var next: StreamID? = .zero
        while let lower = next {
            let page = StreamRange(key: name, lower: lower, upper: .max, count: Self.pageMessages)
            guard case .entries(let entries)? = try await ask([.range(page)]).first else { return }
            for record in entries.compactMap({ Self.record($0) }) { body(record) }
            next = entries.count == Self.pageMessages ? entries.last?.id.next : nil
        }
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

    func keepAside(
        _ message: SpooledMessage, of key: SpoolKey, reason: String,
        completion: @escaping @Sendable (Result<StreamEntryID, SpoolFailure>) -> Void
    ) {
        var fields = Self.fields(message)
        fields.append(name: Field.reason, value: Array(reason.utf8))
        submit([.append(StreamAppend(key: Self.name(.aside, key), fields: fields))], key) { result in
            completion(
                result.flatMap { replies in
                    guard case .appended(let id, _)? = replies.first else {
                        return .failure(SpoolFailure(reason: "the spool answered something else"))
                    }
                    return .success(StreamEntryID(milliseconds: id.milliseconds, sequence: id.sequence))
                })
        }
    }

    func setAside(
        _ key: SpoolKey, _ message: SpooledMessage, reason: String,
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        var fields = Self.fields(Self.moving(message))
        fields.append(name: Field.reason, value: Array(reason.utf8))
        let aside = StreamCommand.append(StreamAppend(key: Self.name(.aside, key), fields: fields))
        submit([aside] + Self.removing(key, through: message.id), key) { completion($0.map { _ in }) }
    }

    /// A message that gets another id says what its client was answered by.
    private static func moving(_ message: SpooledMessage) -> SpooledMessage {
        var moving = message
        moving.formerID = message.answeredID
        return moving
    }

    // MARK: What people ask for

    func records(
        _ key: SpoolKey, _ state: SpoolState, from id: StreamEntryID, most: Int,
        completion: @escaping @Sendable (Result<[SpoolRecord], SpoolFailure>) -> Void
    ) {
        let page = StreamRange(
            key: Self.name(Family(state), key), lower: StreamID(id.milliseconds, id.sequence), upper: .max, count: most)
        submit([.range(page)], key) { result in
            completion(
                result.map { replies in
                    guard case .entries(let entries)? = replies.first else { return [] }
                    return entries.compactMap { Self.record($0) }
                })
        }
    }

    func restore(
        _ key: SpoolKey, _ messages: [SpooledMessage],
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        let waiting = Self.name(.waiting, key)
        let appends = messages.map { message in
            StreamCommand.append(StreamAppend(key: waiting, fields: Self.fields(Self.moving(message))))
        }
        submit(appends + [Self.deleting(key, messages)], key) { completion($0.map { _ in }) }
    }

    func discard(
        _ key: SpoolKey, _ messages: [SpooledMessage],
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        submit([Self.deleting(key, messages)], key) { completion($0.map { _ in }) }
    }

    private static func deleting(_ key: SpoolKey, _ messages: [SpooledMessage]) -> StreamCommand {
        .delete(key: name(.aside, key), ids: messages.map { StreamID($0.id.milliseconds, $0.id.sequence) })
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
        log.submit(StreamUnit(commands, nowUnixMilliseconds: clock(), stopsAtRefusal: true), lane: lane) { outcome in
            switch outcome {
            case .replies(let replies):
                if case .failed(let error)? = replies.last {
                    return completion(.failure(SpoolFailure(reason: error.message)))
                }
                completion(.success(replies))
            case .conditionFailed: completion(.failure(SpoolFailure(reason: "a condition failed")))
            case .unavailable(let error): completion(.failure(SpoolFailure(reason: error.description)))
            }
        }
    }
}
