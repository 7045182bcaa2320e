import Synchronization

/// Messages and their bytes.
public struct SpoolAmount: Sendable, Equatable {
    /// How many.
    public var messages: Int
    /// Of their commands.
    public var bytes: Int

    /// None, or so many.
    public init(messages: Int = 0, bytes: Int = 0) {
        self.messages = messages
        self.bytes = bytes
    }

    mutating func add(_ messages: Int, _ bytes: Int) {
        self.messages += messages
        self.bytes += bytes
    }
}

/// What was set aside of one key, counted by why.
public struct SetAsideCount: Sendable, Equatable {
    /// All of it.
    public private(set) var amount = SpoolAmount()
    /// Messages for each reason.
    public private(set) var reasons: [String: Int] = [:]
    /// Of all of it, what was never to be sent on.
    private(set) var custody = SpoolAmount()
    /// The others.
    var refused: SpoolAmount {
        SpoolAmount(messages: amount.messages - custody.messages, bytes: amount.bytes - custody.bytes)
    }

    /// Nothing.
    public init() {}

    /// One more.
    public mutating func add(_ reason: String, bytes: Int) {
        amount.add(1, bytes)
        reasons[reason, default: 0] += 1
        if CustodyCause(rawValue: reason) != nil { custody.add(1, bytes) }
    }

    mutating func remove(_ record: SpoolRecord) {
        amount.add(-1, -record.message.byteCount)
        if CustodyCause(rawValue: record.reason) != nil { custody.add(-1, -record.message.byteCount) }
        let left = reasons[record.reason, default: 0] - 1
        reasons[record.reason] = left > 0 ? left : nil
    }
}

/// Why a new message was set aside instead of being sent on later, as its plan has it (`dead_letter`): the reason that
/// people see.
public enum CustodyCause: String, Sendable, CaseIterable {
    /// Its breaker is open.
    case breakerOpen = "breaker_open"
    /// There is no upstream.
    case upstreamAway = "upstream_away"
    /// Others of its key wait, and it cannot wait behind them.
    case spoolOrder = "spool_order"
}

/// Whether a message waits to be sent on, or for people.
public enum SpoolState: String, Sendable, CaseIterable {
    /// To be sent on.
    case waiting
    /// For people.
    case setAside = "set_aside"
}

/// A message as it is kept. Its id tells its place, and since when it has it.
public struct SpoolRecord: Sendable, Equatable {
    /// The message.
    public var message: SpooledMessage
    /// Why it was set aside; empty for one that waits.
    public var reason: String

    /// Both parts.
    public init(message: SpooledMessage, reason: String = "") {
        self.message = message
        self.reason = reason
    }
}

/// Messages that were set aside: what people see of them and do with them.
///
/// What a broker has refused counts for the bounds as what waits does; what was never to be sent on has bounds of its own.
/// What is redriven has room in any case. They change by orders alone, one at a time (`beginOrder`), and grow by what
/// forwarders and sessions set aside meanwhile.
extension Spool {
    /// What is kept of one key.
    public struct Overview: Sendable, Equatable {
        /// Whose it is.
        public var key: SpoolKey
        /// To be sent on.
        public var waiting = SpoolAmount()
        /// For people.
        public var setAside = SetAsideCount()
    }

    /// Every key of which anything is kept, by listener, database and stream.
    public func overview() -> [Overview] {
        let (queues, setAside) = state.withLock { ($0.queues, $0.setAside) }
        var overviews = queues.mapValues { SpoolAmount(messages: $0.stored + $0.arriving, bytes: $0.bytes) }
            .map { Overview(key: $0.key, waiting: $0.value, setAside: setAside[$0.key] ?? SetAsideCount()) }
        overviews += setAside.filter { queues[$0.key] == nil }.map { Overview(key: $0.key, setAside: $0.value) }
        return overviews.sorted { $0.key < $1.key }
    }

    /// Messages of one key, the oldest first.
    public struct Page: Sendable, Equatable {
        /// At most as many as were asked for.
        public var records: [SpoolRecord]
        /// Where the next page begins; nil at the end.
        public var next: StreamEntryID?
    }

    /// Messages of a key from this id on.
    public func page(
        _ key: SpoolKey, _ kind: SpoolState, from id: StreamEntryID, most: Int
    ) async throws(SpoolFailure) -> Page {
        let records = try await answer { store.records(key, kind, from: id, most: most, completion: $0) }
        let shown = kind == .waiting ? records.filter { !isWithdrawn($0.message, key) } : records
        return Page(records: shown, next: records.count == most ? records.last?.message.id.next : nil)
    }

    /// Reserves the messages that were set aside for one order; false while there is another. `endOrder` must follow.
    public func beginOrder() -> Bool {
        state.withLock { state in
            defer { state.isUnderOrder = true }
            return !state.isUnderOrder
        }
    }

    /// The order has been carried out.
    public func endOrder() { state.withLock { $0.isUnderOrder = false } }

    /// Has messages that were set aside wait again, behind those of their key that wait already. They are tried under the
    /// ids that their clients were told, and get new ones where others have published since.
    public func redrive(
        _ key: SpoolKey, _ records: [SpoolRecord], unixNanoseconds: UInt64
    ) async throws(SpoolFailure) {
        let bytes = records.reduce(0) { $0 + $1.message.byteCount }
        // From now on what is published queues behind them.
        state.withLock { state in
            state.forgetSetAside(key, records)
            arriving(key, messages: records.count, bytes: bytes, unixNanoseconds: unixNanoseconds, &state)
        }
        try await answer { resume in
            store.restore(key, records.map(\.message)) { [self] result in
                state.withLock { state in
                    state.queues[key]?.arriving -= records.count
                    guard case .failure = result else {
                        state.queues[key]?.stored += records.count
                        return
                    }
                    letGo(key, messages: 0, bytes: bytes, &state, total: records.count)
                    for record in records { state.countSetAside(key, record.reason, record.message.byteCount) }
                }
                resume(result)
            }
        }
    }

    /// Deletes messages that were set aside for good.
    public func purge(_ key: SpoolKey, _ records: [SpoolRecord]) async throws(SpoolFailure) {
        try await answer { resume in
            store.discard(key, records.map(\.message)) { [self] result in
                if case .success = result { state.withLock { $0.forgetSetAside(key, records) } }
                resume(result)
            }
        }
    }

    /// Keeps a message of a session for people, for which there is room: it waits for nothing, and nobody behind it.
    func keep(
        _ request: SpoolRequest, _ cause: CustodyCause, completion: @escaping @Sendable (SpoolOutcome) -> Void
    ) {
        store.keepAside(request.message, of: request.key, reason: cause.rawValue) { [self] result in
            let isAwaited = request.ticket.settle()
            switch result {
            case .success(let id):
                kept(request, cause)
                if isAwaited { return completion(.stored(id)) }
                var message = request.message
                message.id = id
                let record = SpoolRecord(message: message, reason: cause.rawValue)
                store.discard(request.key, [message]) { [self] result in
                    // Where the disk fails it stays, for people.
                    if case .success = result { state.withLock { $0.forgetSetAside(request.key, [record]) } }
                }
            case .failure(let failure):
                state.withLock { $0.custodyTotal.add(-1, -request.message.byteCount) }
                if isAwaited { completion(.failed(failure.reason)) }
            }
        }
    }

    /// It has its room since it was reserved.
    private func kept(_ request: SpoolRequest, _ cause: CustodyCause) {
        state.withLock { state in
            let bytes = request.message.byteCount
            state.custodyTotal.add(-1, -bytes)
            state.countSetAside(request.key, cause.rawValue, bytes)
        }
    }

    private func answer<Value: Sendable>(
        _ ask: (@escaping @Sendable (Result<Value, SpoolFailure>) -> Void) -> Void
    ) async throws(SpoolFailure) -> Value {
        try await withCheckedContinuation { continuation in ask { continuation.resume(returning: $0) } }.get()
    }
}

extension Spool.State {
    mutating func countSetAside(_ key: SpoolKey, _ reason: String, _ bytes: Int) {
        setAside[key, default: SetAsideCount()].add(reason, bytes: bytes)
        addToTotal(reason, 1, bytes)
    }

    private mutating func addToTotal(_ reason: String, _ messages: Int, _ bytes: Int) {
        if CustodyCause(rawValue: reason) == nil {
            refusedTotal.add(messages, bytes)
        } else {
            custodyTotal.add(messages, bytes)
        }
    }

    fileprivate mutating func forgetSetAside(_ key: SpoolKey, _ records: [SpoolRecord]) {
        guard var count = setAside[key] else { return }
        for record in records {
            count.remove(record)
            addToTotal(record.reason, -1, -record.message.byteCount)
        }
        setAside[key] = count.amount.messages > 0 ? count : nil
    }
}
