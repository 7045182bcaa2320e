import EventLog
import Pipeline

/// The spool on disk: a log of its own below the data directory, one stream for each key.
///
/// Three families of streams, told apart by the first byte of their names: what waits, new ids that were noted before they
/// were used, and what was set aside for people. The log's ids are the order; what it has answered is on disk.
final class SpoolLog: SpoolStore {
    private enum Family: UInt8 {
        case waiting = 0x71
        case renumbered = 0x6E
        case aside = 0x61
    }

    private enum Field {
        static let head = Array("head".utf8)
        static let tail = Array("tail".utf8)
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
        let renumbered = StreamRange(
            key: Self.name(.renumbered, key), lower: .zero, upper: .max, count: 1, isReversed: true)
        submit([.range(waiting), .range(renumbered)], key) { result in
            completion(
                result.map { replies in
                    guard case .entries(let entries)? = replies.first else { return [] }
                    var messages = entries.compactMap { Self.message($0) }
                    if case .entries(let notes)? = replies.last, let note = notes.first?.fields {
                        Self.apply(note, to: &messages)
                    }
                    return messages
                })
        }
    }

    /// Only the oldest message that is to be sent on is ever renumbered, and the note goes when it goes.
    private static func apply(_ note: EventFields, to messages: inout [SpooledMessage]) {
        guard let id = note.value(of: Field.message).flatMap({ Self.id($0) }),
            let index = messages.firstIndex(where: { $0.id == id })
        else { return }
        messages[index].newID = note.value(of: Field.id).flatMap { Self.id($0) }
    }

    func renumber(
        _ key: SpoolKey, _ id: StreamEntryID, as newID: StreamEntryID,
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        var fields = EventFields()
        fields.append(name: Field.message, value: Array("\(id)".utf8))
        fields.append(name: Field.id, value: Array("\(newID)".utf8))
        let note = StreamAppend(
            key: Self.name(.renumbered, key), fields: fields, trim: StreamTrim(.length(1)))
        submit([.append(note)], key) { completion($0.map { _ in }) }
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
            .keys(.delete(keys: [name(.renumbered, key)])),
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

    private static func fields(_ message: SpooledMessage) -> EventFields {
        var fields = EventFields(reservingBytes: message.byteCount + 128)
        fields.append(name: Field.head, value: message.head)
        fields.append(name: Field.tail, value: message.tail)
        fields.append(name: Field.context, value: Array(message.traceParent.utf8))
        fields.append(name: Field.base, value: Array("\(message.sequenceBase)".utf8))
        return fields
    }

    private static func message(_ entry: StreamEntry) -> SpooledMessage? {
        guard let fields = entry.fields, let head = fields.value(of: Field.head),
            let tail = fields.value(of: Field.tail),
            let base = fields.value(of: Field.base).flatMap({ UInt64(String(decoding: $0, as: UTF8.self)) })
        else { return nil }
        return SpooledMessage(
            head: Array(head), tail: Array(tail),
            traceParent: fields.value(of: Field.context).map { String(decoding: $0, as: UTF8.self) } ?? "",
            sequenceBase: base,
            id: StreamEntryID(milliseconds: entry.id.milliseconds, sequence: entry.id.sequence))
    }

    private static func id(_ text: ArraySlice<UInt8>) -> StreamEntryID? {
        let parts = String(decoding: text, as: UTF8.self).split(separator: "-")
        guard parts.count == 2, let milliseconds = UInt64(parts[0]), let sequence = UInt64(parts[1]) else { return nil }
        return StreamEntryID(milliseconds: milliseconds, sequence: sequence)
    }
}
