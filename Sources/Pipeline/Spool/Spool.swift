import Synchronization
public import Telemetry

/// How much may be spooled, and how long a client waits for the disk.
public struct SpoolLimits: Sendable, Equatable {
    /// Messages in the process, those that were set aside after all among them.
    public var messages: Int
    /// Bytes of their commands.
    public var bytes: Int
    /// After that a client gets an error.
    public var waitNanoseconds: UInt64
    /// Of what is kept aside instead of being sent on.
    public var aside: Aside

    /// How much may be kept aside for people.
    public struct Aside: Sendable, Equatable {
        /// Messages in the process.
        public var messages: Int
        /// Bytes of their commands.
        public var bytes: Int

        /// Both parts.
        public init(messages: Int, bytes: Int) {
            self.messages = messages
            self.bytes = bytes
        }
    }

    /// All parts; nothing is kept aside unless that is said.
    public init(
        messages: Int, bytes: Int, waitNanoseconds: UInt64, aside: Aside = Aside(messages: 0, bytes: 0)
    ) {
        self.messages = messages
        self.bytes = bytes
        self.waitNanoseconds = waitNanoseconds
        self.aside = aside
    }
}

/// The messages that wait to be sent on, counted: what sessions ask before they let a message pass, and what the
/// forwarders of the listeners work off.
///
/// A key queues from the moment at which a message is handed to the store until its last message has been sent on and let
/// go of. Whatever is published meanwhile queues behind, so that order is kept.
public final class Spool: Sendable {
    struct Queue {
        /// On their way to the disk.
        var arriving = 0
        var stored = 0
        var bytes = 0
        /// Since 1970; of the oldest, roughly: since the queue was last empty.
        var sinceUnixNanoseconds: UInt64 = 0
    }

    struct State {
        var queues: [SpoolKey: Queue] = [:]
        /// What all queues hold.
        var waiting = SpoolAmount()
        var setAside: [SpoolKey: SetAsideCount] = [:]
        /// What the broker has refused: the bounds are for what waits and for this together.
        var refusedTotal = SpoolAmount()
        /// What was never to be sent on, also what is on its way to the disk: that has bounds of its own.
        var custodyTotal = SpoolAmount()
        /// Somebody redrives or purges.
        var isUnderOrder = false
        /// On disk although their clients were told that it was too late: not to be sent on, and on their way out.
        var withdrawn: [SpoolKey: Set<StreamEntryID>] = [:]
    }

    /// The bounds.
    public let limits: SpoolLimits
    /// Whose messages may be stored, on NATS.
    let subjects = JetStreamSubjects()
    let store: any SpoolStore
    let state = Mutex(State())
    /// Messages of all queues; zero lets sessions pass without another look.
    let total = Atomic<Int>(0)
    /// Keeps the ids of this process apart from those of others.
    private let random: UInt64

    /// A spool that holds what an earlier process has left: keys with their messages and bytes, and what was set aside.
    ///
    /// - Parameter random: any number; it keeps the ids of this process apart from those of others.
    public init(
        limits: SpoolLimits, store: any SpoolStore, left: [(key: SpoolKey, messages: Int, bytes: Int)],
        setAside: [SpoolKey: SetAsideCount] = [:], random: UInt64, unixNanoseconds: UInt64
    ) {
        self.limits = limits
        self.store = store
        self.random = random
        state.withLock { state in
            for (key, messages, bytes) in left where messages > 0 {
                state.queues[key] = Queue(stored: messages, bytes: bytes, sinceUnixNanoseconds: unixNanoseconds)
                state.waiting.add(messages, bytes)
            }
            for (key, count) in setAside where count.amount.messages > 0 {
                state.setAside[key] = count
                state.refusedTotal.add(count.refused.messages, count.refused.bytes)
                state.custodyTotal.add(count.custody.messages, count.custody.bytes)
            }
            total.store(state.waiting.messages, ordering: .relaxed)
        }
    }

    // MARK: Sessions

    /// Nothing waits anywhere. To be asked before anything else: one load.
    @inline(__always)
    var isEmpty: Bool { total.load(ordering: .relaxed) == 0 }

    /// What the sequences of the ids of a listener's messages begin with: two listeners may have one upstream.
    func sequenceBase(of listener: ListenerProfile) -> UInt64 {
        // Of 2^32 to 2^52: above all counts within a millisecond, and exact in languages that know only doubles.
        (1 << 32) + (random &+ UInt64(listener.number) &* 0x9e37_79b9_7f4a_7c15) % (1 << 52 - 1 << 32)
    }

    /// Whether messages of this key wait, so that others have to queue behind them.
    func isQueueing(_ key: SpoolKey) -> Bool { state.withLock { $0.queues[key] != nil } }

    /// Takes room for one message in its place; false when there is none.
    func reserve(
        _ key: SpoolKey, _ place: SpoolRequest.Place = .waiting, bytes: Int, at now: Instant
    ) -> Bool {
        state.withLock { state in
            if case .aside = place {
                guard state.custodyTotal.messages < limits.aside.messages,
                    state.custodyTotal.bytes + bytes <= limits.aside.bytes
                else { return false }
                state.custodyTotal.add(1, bytes)
                return true
            }
            guard state.waiting.messages + state.refusedTotal.messages < limits.messages,
                state.waiting.bytes + state.refusedTotal.bytes + bytes <= limits.bytes
            else { return false }
            arriving(key, messages: 1, bytes: bytes, unixNanoseconds: now.unixNanoseconds, &state)
            return true
        }
    }

    func arriving(_ key: SpoolKey, messages: Int, bytes: Int, unixNanoseconds: UInt64, _ state: inout State) {
        var queue = state.queues[key] ?? Queue(sinceUnixNanoseconds: unixNanoseconds)
        queue.arriving += messages
        queue.bytes += bytes
        state.queues[key] = queue
        state.waiting.add(messages, bytes)
        total.store(state.waiting.messages, ordering: .relaxed)
    }

    /// Hands a message for which there is room to the store. `completion` is called once, on any thread, unless the
    /// request was abandoned; then the message is taken out again.
    func submit(_ request: SpoolRequest, completion: @escaping @Sendable (SpoolOutcome) -> Void) {
        if case .aside(let cause) = request.place { return keep(request, cause, completion: completion) }
        store.append(request.message, to: request.key) { [self] result in
            switch result {
            case .success(let id):
                guard request.ticket.settle() else { return withdraw(request, id) }
                arrived(request, isStored: true)
                completion(.stored(id))
            case .failure(let failure):
                arrived(request, isStored: false)
                if request.ticket.settle() { completion(.failed(failure.reason)) }
            }
        }
    }

    private func withdraw(_ request: SpoolRequest, _ id: StreamEntryID) {
        state.withLock { _ = $0.withdrawn[request.key, default: []].insert(id) }
        arrived(request, isStored: false)
        store.remove(request.key, only: id) { [self] result in
            guard case .success = result else { return }
            state.withLock { state in
                state.withdrawn[request.key]?.remove(id)
                if state.withdrawn[request.key]?.isEmpty == true { state.withdrawn[request.key] = nil }
            }
        }
    }

    private func arrived(_ request: SpoolRequest, isStored: Bool) {
        state.withLock { state in
            state.queues[request.key]?.arriving -= 1
            if isStored {
                state.queues[request.key]?.stored += 1
            } else {
                letGo(request.key, messages: 0, bytes: request.message.byteCount, &state, total: 1)
            }
        }
    }

    // MARK: Forwarders

    /// The keys of a listener that have messages on disk, in a fixed order.
    func keys(of listener: String) -> [SpoolKey] {
        state.withLock { state in
            state.queues.filter { $0.key.listener == listener && $0.value.stored > 0 }.map(\.key)
        }.sorted()
    }

    /// Whether anything of a listener waits.
    func isEmpty(_ listener: String) -> Bool {
        isEmpty || state.withLock { state in !state.queues.keys.contains { $0.listener == listener } }
    }

    /// Carries out what a forwarder asks for.
    public func perform(_ task: SpoolTask, answer: @escaping @Sendable (SpoolTask.Answer) -> Void) {
        switch task {
        case .load(let key, let most):
            // The store answers in order: of all that it has found it has said before that it was stored.
            store.load(key, most: most) { [self] result in
                answer(result.answer { messages in .loaded(messages.filter { !isWithdrawn($0, key) }) })
            }
        case .note(let key, let id, let note):
            store.note(key, id, note) { answer($0.answer { .done }) }
        case .remove(let key, let through, let messages, let bytes):
            store.remove(key, through: through) { [self] result in
                if case .success = result { gone(key, messages, bytes) }
                answer(result.answer { .done })
            }
        case .setAside(let key, let message, let reason):
            store.setAside(key, message, reason: reason) { [self] result in
                if case .success = result {
                    state.withLock { state in
                        letGo(key, messages: 1, bytes: message.byteCount, &state, total: 1)
                        state.countSetAside(key, reason, message.byteCount)
                    }
                }
                answer(result.answer { .done })
            }
        }
    }

    func isWithdrawn(_ message: SpooledMessage, _ key: SpoolKey) -> Bool {
        state.withLock { $0.withdrawn[key]?.contains(message.id) ?? false }
    }

    private func gone(_ key: SpoolKey, _ messages: Int, _ bytes: Int) {
        state.withLock { letGo(key, messages: messages, bytes: bytes, &$0, total: messages) }
    }

    func letGo(_ key: SpoolKey, messages: Int, bytes: Int, _ state: inout State, total count: Int) {
        state.waiting.add(-count, -bytes)
        total.store(state.waiting.messages, ordering: .relaxed)
        guard var queue = state.queues[key] else { return }
        queue.stored -= messages
        queue.bytes -= bytes
        state.queues[key] = queue.stored + queue.arriving > 0 ? queue : nil
    }

    // MARK: People

    /// Adds what waits to each scrape.
    public func register(in registry: MetricsRegistry, clock: @escaping @Sendable () -> UInt64) {
        registry.onScrape { [self] samples in
            let now = clock()
            var byListener: [String: Queue] = [:]
            for (key, queue) in state.withLock({ $0.queues }) {
                var sum = byListener[key.listener] ?? Queue(sinceUnixNanoseconds: queue.sinceUnixNanoseconds)
                sum.stored += queue.stored + queue.arriving
                sum.bytes += queue.bytes
                sum.sinceUnixNanoseconds = min(sum.sinceUnixNanoseconds, queue.sinceUnixNanoseconds)
                byListener[key.listener] = sum
            }
            var setAside = byListener.mapValues { _ in 0 }
            for (key, count) in state.withLock({ $0.setAside }) {
                setAside[key.listener, default: 0] += count.amount.messages
            }
            for (listener, messages) in setAside {
                samples.set(MetricCatalog.spoolSetAside, [listener], value: UInt64(clamping: messages))
            }
            for (listener, queue) in byListener {
                samples.set(MetricCatalog.spoolMessages, [listener], value: UInt64(clamping: queue.stored))
                samples.set(MetricCatalog.spoolBytes, [listener], value: UInt64(clamping: queue.bytes))
                let age = now > queue.sinceUnixNanoseconds ? now - queue.sinceUnixNanoseconds : 0
                samples.set(MetricCatalog.spoolAge, [listener], value: Double(age) / 1e9)
            }
        }
    }
}

extension Result where Failure == SpoolFailure {
    fileprivate func answer(_ make: (Success) -> SpoolTask.Answer) -> SpoolTask.Answer {
        switch self {
        case .success(let value): make(value)
        case .failure(let failure): .failed(failure.reason)
        }
    }
}

/// What a forwarder asks of the spool.
public enum SpoolTask: Sendable {
    case load(SpoolKey, most: Int)
    case note(SpoolKey, StreamEntryID, StreamEntryID)
    case remove(SpoolKey, through: StreamEntryID, messages: Int, bytes: Int)
    case setAside(SpoolKey, SpooledMessage, reason: String)

    /// What it came to.
    public enum Answer: Sendable {
        case loaded([SpooledMessage])
        case done
        case failed(String)
    }
}

/// A message that a session wants to have stored, and for which there is room.
public struct SpoolRequest: Sendable {
    let key: SpoolKey
    let message: SpooledMessage
    let ticket: SpoolTicket
    /// The session's own, to know it again by.
    let number: UInt64
    let place: Place
    private let spool: Spool

    /// Where a message is stored.
    enum Place: Sendable {
        /// Behind all others of its key, to be sent on.
        case waiting
        /// For people, with why it is not sent on.
        case aside(CustodyCause)
    }

    init(
        _ message: SpooledMessage, _ key: SpoolKey, _ spool: Spool, _ place: Place = .waiting,
        ticket: SpoolTicket = SpoolTicket(), number: UInt64 = 0
    ) {
        self.place = place
        self.key = key
        self.message = message
        self.spool = spool
        self.number = number
        self.ticket = ticket
    }

    /// Hands it to the store. `completion` is called at most once, on any thread.
    public func perform(completion: @escaping @Sendable (SpoolOutcome, _ number: UInt64) -> Void) {
        spool.submit(self) { [number] in completion($0, number) }
    }
}

/// What came of it.
public enum SpoolOutcome: Sendable, Equatable {
    /// On disk, under this id.
    case stored(StreamEntryID)
    case failed(String)
}

/// Whether a client still waits for the disk. Either it gets what the disk says, or it has been told that it is too late;
/// never both.
final class SpoolTicket: Sendable {
    private let isDecided = Atomic(false)

    /// The store has answered. False: nobody waits any more.
    func settle() -> Bool { decide() }

    /// The client waits no longer. False: the answer is on its way.
    func abandon() -> Bool { decide() }

    private func decide() -> Bool {
        isDecided.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged
    }
}
