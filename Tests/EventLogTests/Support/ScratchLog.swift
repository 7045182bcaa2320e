import Foundation
import Synchronization

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
        return outcome.withLock { $0 } ?? .unavailable(reason: "no answer")
    }

    /// One command at a moment.
    func answer(_ command: StreamCommand, at now: UInt64 = 1_000) -> StreamReply {
        switch answer(StreamUnit([command], nowUnixMilliseconds: now)) {
        case .replies(let replies): replies[0]
        case .conditionFailed: .failed(.unavailable(reason: "condition failed"))
        case .unavailable(let reason): .failed(.unavailable(reason: reason))
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
