import Synchronization

/// Which subjects are stored by which stream, as JetStream has told those who published to them.
///
/// A message is only spooled when its publisher may expect an acknowledgement of JetStream, and may publish there: when
/// somebody with the same credentials has had one for this subject. Whatever else is published with a reply subject may
/// be a question to somebody, and must not be answered as if it were stored.
final class JetStreamSubjects: Sendable {
    struct Key: Hashable {
        var listener: UInt32
        /// Who publishes, as CONNECT says: one account's subject is not another's.
        var identity: [UInt8]
        var subject: [UInt8]
    }

    private static let countMax = 65_536

    private let known = Mutex<[Key: JetStreamName]>([:])

    func note(_ key: Key, _ name: JetStreamName) {
        known.withLock { known in
            // Whoever goes on publishing is known again with the next acknowledgement.
            if known.count >= Self.countMax { known.removeAll(keepingCapacity: true) }
            known[key] = name
        }
    }

    func name(_ key: Key) -> JetStreamName? { known.withLock { $0[key] } }
}
