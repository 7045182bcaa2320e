import Database
import Foundation
import Synchronization
import Testing

@testable import EventLog

/// A directory of its own for one test, gone with it.
final class ScratchDirectory: Sendable {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "eventlog-" + UUID().uuidString
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}

extension StreamStore {
    /// Submits and waits: a transcript's line.
    func answer(_ unit: StreamUnit) -> StreamOutcome {
        let done = DispatchSemaphore(value: 0)
        let outcome = Mutex<StreamOutcome?>(nil)
        submit(unit, lane: 1) { result in
            outcome.withLock { $0 = result }
            done.signal()
        }
        done.wait()
        return outcome.withLock { $0 } ?? .unavailable(.closed)
    }

    /// Looks and waits.
    func look(_ command: StreamCommand) -> StreamOutcome {
        let done = DispatchSemaphore(value: 0)
        let outcome = Mutex<StreamOutcome?>(nil)
        look(StreamUnit([command], nowUnixMilliseconds: 1_000)) { result in
            outcome.withLock { $0 = result }
            done.signal()
        }
        done.wait()
        return outcome.withLock { $0 } ?? .unavailable(.closed)
    }

    /// One command at a moment.
    func answer(_ command: StreamCommand, at now: UInt64 = 1_000) -> StreamReply {
        switch answer(StreamUnit([command], nowUnixMilliseconds: now)) {
        case .replies(let replies): replies[0]
        case .conditionFailed: .failed(.unavailable(reason: "condition failed"))
        case .unavailable(let error): .failed(StreamError(error))
        }
    }
}

/// Names and values from text.
func fields(_ pairs: (String, String)...) -> EventFields {
    var fields = EventFields()
    for (name, value) in pairs { fields.append(name: name.utf8, value: value.utf8) }
    return fields
}

extension [UInt8] {
    init(_ text: String) {
        self = Array(text.utf8)
    }
}

extension StreamAppend {
    /// The usual XADD to a key from text.
    static func to(_ key: String, _ id: ID = .automatic, _ pairs: (String, String)...) -> StreamCommand {
        var fields = EventFields()
        for (name, value) in pairs { fields.append(name: name.utf8, value: value.utf8) }
        return .append(StreamAppend(key: [UInt8](key), id: id, fields: fields))
    }
}

/// A log on disk for one test, whose answers are waited for.
final class ScratchLog {
    let directory = ScratchDirectory()
    let log: DurableLog

    init() throws {
        log = try DurableLog(directory: directory.path, clock: { 0 })
    }

    deinit {
        log.close()
    }

    /// Waits for an answer.
    func wait<Value: Sendable>(
        _ ask: (@escaping @Sendable (Result<Value, LogError>) -> Void) -> Void
    ) throws -> Value {
        let done = DispatchSemaphore(value: 0)
        let result = Mutex<Result<Value, LogError>?>(nil)
        ask { answer in
            result.withLock { $0 = answer }
            done.signal()
        }
        done.wait()
        return try result.withLock { $0 }?.get() ?? { throw LogError.closed }()
    }

    /// Runs SQL behind the log's back.
    func tamper(_ sql: String) throws {
        let connection = try SQLiteConnection(path: directory.path + "/events.sqlite", .readWrite)
        try connection.execute(sql)
    }

    /// Overwrites the page that holds an event, of a closed log.
    func damagePage(with condition: String) throws {
        let path = directory.path + "/events.sqlite"
        let connection = try SQLiteConnection(path: path, .readOnly)
        let size = try #require(try connection.integer("PRAGMA page_size"))
        let bytes = try #require(FileManager.default.contents(atPath: path))
        let hash = try connection.prepare("SELECT hash FROM event WHERE \(condition)")
        _ = try hash.step()
        let place = try #require(bytes.range(of: Data(hash.blob(0)), options: .backwards)).lowerBound
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.seek(toOffset: UInt64(place) / UInt64(size) * UInt64(size))
        try file.write(contentsOf: Data(repeating: 0xff, count: 64))
        try file.close()
    }
}
