import NIOCore
import Pipeline
import Resilience
import Synchronization

/// A disk that answers when the test says so.
final class TestSpoolStore: SpoolStore {
    private struct State {
        var messages: [SpoolKey: [SpooledMessage]] = [:]
        var aside: [SpoolRecord] = []
        var appends: [@Sendable () -> Void] = []
        var removals: [@Sendable () -> Void]?
        var failure: SpoolFailure?
        var nextSequence: UInt64 = 0
    }

    private let state = Mutex(State())

    func messages(_ key: SpoolKey) -> [SpooledMessage] { state.withLock { $0.messages[key] ?? [] } }

    var asideCount: Int { state.withLock { $0.aside.count } }

    func fail(_ reason: String?) { state.withLock { $0.failure = reason.map(SpoolFailure.init(reason:)) } }

    /// Single messages that are to be taken out stay until `remove`.
    func keepRemovals() { state.withLock { $0.removals = [] } }

    /// Takes them out.
    func remove() {
        for removal in state.withLock({ state in
            defer { state.removals = nil }
            return state.removals ?? []
        }) { removal() }
    }

    /// Everything that waits is on disk.
    func commit() {
        for append in state.withLock({ state in
            defer { state.appends = [] }
            return state.appends
        }) { append() }
    }

    func append(
        _ message: SpooledMessage, to key: SpoolKey,
        completion: @escaping @Sendable (Result<StreamEntryID, SpoolFailure>) -> Void
    ) {
        state.withLock { state in
            state.appends.append { [self] in
                completion(
                    self.state.withLock { state in
                        if let failure = state.failure { return .failure(failure) }
                        var message = message
                        message.id = StreamEntryID(milliseconds: 1_700_000_000_000, sequence: state.nextSequence)
                        state.nextSequence += 1
                        state.messages[key, default: []].append(message)
                        return .success(message.id)
                    })
            }
        }
    }

    func load(
        _ key: SpoolKey, most: Int, completion: @escaping @Sendable (Result<[SpooledMessage], SpoolFailure>) -> Void
    ) {
        completion(.success(Array(messages(key).prefix(most))))
    }

    func note(
        _ key: SpoolKey, _ id: StreamEntryID, _ note: StreamEntryID,
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        state.withLock { $0.messages[key]?[0].note = note }
        completion(.success(()))
    }

    func remove(
        _ key: SpoolKey, through id: StreamEntryID, completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        state.withLock { $0.messages[key]?.removeAll { $0.id <= id } }
        completion(.success(()))
    }

    func remove(
        _ key: SpoolKey, only id: StreamEntryID, completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        let removal = { @Sendable [self] in
            state.withLock { $0.messages[key]?.removeAll { $0.id == id } }
            completion(.success(()))
        }
        let waits = state.withLock { state in
            state.removals?.append(removal)
            return state.removals != nil
        }
        if !waits { removal() }
    }

    func keepAside(
        _ message: SpooledMessage, of key: SpoolKey, reason: String,
        completion: @escaping @Sendable (Result<StreamEntryID, SpoolFailure>) -> Void
    ) {
        state.withLock { state in
            state.appends.append { [self] in
                completion(
                    self.state.withLock { state in
                        if let failure = state.failure { return .failure(failure) }
                        var message = message
                        message.id = StreamEntryID(milliseconds: 1_700_000_001_000, sequence: UInt64(state.aside.count))
                        state.aside.append(SpoolRecord(message: message, reason: reason))
                        return .success(message.id)
                    })
            }
        }
    }

    var asideReasons: [String] { state.withLock { $0.aside.map(\.reason) } }

    func setAside(
        _ key: SpoolKey, _ message: SpooledMessage, reason: String,
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        state.withLock { state in
            var kept = message
            kept.formerID = message.answeredID
            kept.id = StreamEntryID(milliseconds: 1_700_000_001_000, sequence: UInt64(state.aside.count))
            state.aside.append(SpoolRecord(message: kept, reason: reason))
            state.messages[key]?.removeAll { $0.id == message.id }
        }
        completion(.success(()))
    }

    func records(
        _ key: SpoolKey, _ kind: SpoolState, from id: StreamEntryID, most: Int,
        completion: @escaping @Sendable (Result<[SpoolRecord], SpoolFailure>) -> Void
    ) {
        let all = state.withLock { state in
            kind == .setAside ? state.aside : (state.messages[key] ?? []).map { SpoolRecord(message: $0) }
        }
        completion(.success(Array(all.filter { $0.message.id >= id }.prefix(most))))
    }

    func restore(
        _ key: SpoolKey, _ messages: [SpooledMessage],
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        completion(
            state.withLock { state in
                if let failure = state.failure { return .failure(failure) }
                for var message in messages {
                    state.aside.removeAll { $0.message.id == message.id }
                    message.formerID = message.answeredID
                    message.id = StreamEntryID(milliseconds: 1_700_000_002_000, sequence: state.nextSequence)
                    state.nextSequence += 1
                    state.messages[key, default: []].append(message)
                }
                return .success(())
            })
    }

    func discard(
        _ key: SpoolKey, _ messages: [SpooledMessage],
        completion: @escaping @Sendable (Result<Void, SpoolFailure>) -> Void
    ) {
        state.withLock { state in
            state.aside.removeAll { record in messages.contains { $0.id == record.message.id } }
        }
        completion(.success(()))
    }
}

/// A world whose breaker of `orders` is open and whose publishes are stored.
final class SpoolWorld {
    static let key = SpoolKey(listener: "redis", database: 0, stream: Array("orders".utf8))
    static let subject = SpoolKey(listener: "nats", stream: Array("orders".utf8))
    /// What the sequence of every id begins with, as the random number of the spool is zero.
    static let base: UInt64 = 1 << 32
    /// How far apart they lie.
    static let gap: UInt64 = 1 << 20

    let store = TestSpoolStore()
    let guards = GuardTable(capacity: 100, callTimeoutNanoseconds: 5_000_000_000)
    let spool: Spool
    let world: World
    private let listener: UInt32
    private let system: String

    init(
        messages: Int = 100, aside: Int = 100, setAside: SetAsideCount = SetAsideCount(),
        inject: InjectionRule = .never, listener: UInt32 = 0, system: String = "redis",
        tls: SessionTLS = SessionTLS(), retries: PublishRetryLimits? = nil, fallback: FallbackPolicy? = nil
    ) {
        self.listener = listener
        self.system = system
        spool = Spool(
            limits: SpoolLimits(
                messages: messages, bytes: 100_000, waitNanoseconds: 1_000_000_000,
                aside: SpoolLimits.Aside(messages: aside, bytes: 100_000)), store: store,
            left: [], setAside: [Self.key: setAside], random: 0,
            unixNanoseconds: World.startUnixMilliseconds * 1_000_000)
        world = World(
            inject: inject, system: system, tls: tls, guards: guards, spool: spool, fallback: fallback,
            listener: listener,
            retries: retries)
        open()
    }

    func open(_ destination: String = "orders") { set(.none(retryAtNanoseconds: .max), destination) }

    func close(_ destination: String = "orders") { set(.all, destination) }

    private func set(_ admission: Resilience.Admission, _ destination: String) {
        guards.cell(
            for: GuardKey(listener: listener, listenerName: system, operation: .publish, destination: destination)
        ).publish(admission, slowCallNanoseconds: 5_000_000_000)
    }

    /// A NATS client that the server has taken in, and that JetStream has acknowledged a message of `orders` to.
    func natsClient(
        connect: String = #"{"headers":true,"verbose":false}"#, isAcknowledged: Bool = true, domain: String = ""
    ) -> Conversation<NATSSession> {
        let session = world.connectNATS()
        session.upstream(#"INFO {"headers":true,"max_payload":1048576}"# + "\r\n")
        session.client("CONNECT \(connect)\r\nSUB _INBOX.a.* 1\r\nPING\r\n")
        session.upstream("PONG\r\n")
        guard isAcknowledged else { return session }
        close()
        session.client(pub("orders", "0", reply: "_INBOX.a.0"))
        let more = domain.isEmpty ? "" : #","domain":"\#(domain)""#
        session.upstream(msg("_INBOX.a.0", "1", #"{"stream":"S","seq":1\#(more)}"#))
        _ = world.records()
        open()
        return session
    }

    static func id(_ number: UInt64) -> String { "1700000000000-\(base + number * gap)" }

    /// Gives what the last output wants stored to the disk, and the disk's word to the session.
    func store<Session: SessionMachine>(_ session: Conversation<Session>, commits: Bool = true) {
        let outcomes = Mutex<[(SpoolOutcome, UInt64)]>([])
        for case .spool(let request) in session.last.detours {
            request.perform { result, number in outcomes.withLock { $0.append((result, number)) } }
        }
        if commits { store.commit() }
        for (outcome, number) in outcomes.withLock({ $0 }) { session.spooled(outcome, number) }
    }
}

extension SpooledMessage {
    /// The XADD that it is.
    var entry: SpooledEntry {
        guard case .redis(let entry) = content else { return SpooledEntry(head: [], tail: [], sequenceBase: 0) }
        return entry
    }

    /// The publish that it is.
    var publish: SpooledPublish {
        guard case .nats(let publish) = content else {
            return SpooledPublish(subject: [], headers: [], body: [], stream: JetStreamName(stream: []))
        }
        return publish
    }
}
