import Synchronization

/// Readers that wait for something to come, of all connections: XREAD and XREADGROUP with BLOCK.
///
/// A reader is entered before its first look at the store, so nothing that comes meanwhile is missed. When a stream
/// changes, all its plain readers look again; of the readers of one group the one that has waited longest, and after it
/// the next for as long as something is found, so that an append does not wake a crowd for one entry.
final class BlockedReaders: Sendable {
    fileprivate struct Reader {
        var unit: StreamUnit
        let lane: UInt64
        let group: [UInt8]?
        /// It is looking right now.
        var isLooking = true
        /// Something has changed since it began to look.
        var looksAgain = false
        /// It has to go as soon as it does not look.
        var ending: EmbeddedAnswer?
        let completion: @Sendable (EmbeddedAnswer) -> Void

        var keys: [[UInt8]] {
            switch unit.commands.first {
            case .read(let read): read.streams.map(\.key)
            case .readGroup(let read): read.streams.map(\.key)
            default: []
            }
        }
    }

    fileprivate struct State {
        var lastID: UInt64 = 0
        var readers: [UInt64: Reader] = [:]
        /// The readers of each stream, the one that has waited longest first.
        var waiting: [[UInt8]: [UInt64]] = [:]
    }

    private let store: any StreamStore
    private let clock: @Sendable () -> UInt64
    private let state = Mutex(State())

    init(store: any StreamStore, clock: @escaping @Sendable () -> UInt64) {
        self.store = store
        self.clock = clock
    }

    var count: Int { state.withLock { $0.readers.count } }

    func isWaiting(lane: UInt64) -> Bool {
        state.withLock { $0.readers.values.contains { $0.lane == lane } }
    }

    /// Looks, and waits if there is nothing. The answer comes once, on any thread.
    func wait(
        _ unit: StreamUnit, lane: UInt64, completion: @escaping @Sendable (EmbeddedAnswer) -> Void
    ) -> UInt64 {
        var group: [UInt8]?
        if case .readGroup(let read) = unit.commands.first { group = read.group }
        let reader = Reader(unit: unit, lane: lane, group: group, completion: completion)
        let id = state.withLock { state in
            state.lastID += 1
            state.readers[state.lastID] = reader
            for key in reader.keys { state.waiting[key, default: []].append(state.lastID) }
            return state.lastID
        }
        look(id, unit, lane)
        return id
    }

    /// The time is up, or somebody wants it to go. A look that is under way is waited for: it may have taken entries.
    func end(_ id: UInt64, with answer: EmbeddedAnswer) {
        let completion = state.withLock { state -> (@Sendable (EmbeddedAnswer) -> Void)? in
            guard let reader = state.readers[id] else { return nil }
            if reader.isLooking {
                state.readers[id]?.ending = answer
                return nil
            }
            state.remove(id)
            return reader.completion
        }
        completion?(answer)
    }

    /// Something has changed in these streams.
    func changed(_ keys: [[UInt8]]) {
        let awakened = state.withLock { state in keys.flatMap { state.wake($0) } }
        look(awakened)
    }

    private func look(_ readers: [(id: UInt64, unit: StreamUnit, lane: UInt64)]) {
        for reader in readers { look(reader.id, reader.unit, reader.lane) }
    }

    private func look(_ id: UInt64, _ unit: StreamUnit, _ lane: UInt64) {
        var unit = unit
        unit.nowUnixMilliseconds = clock()
        store.submit(unit, lane: lane) { outcome in self.looked(id, outcome) }
    }

    private func looked(_ id: UInt64, _ outcome: StreamOutcome) {
        typealias Next = (
            completion: (@Sendable (EmbeddedAnswer) -> Void)?, answer: EmbeddedAnswer,
            awakened: [(id: UInt64, unit: StreamUnit, lane: UInt64)]
        )
        let next = state.withLock { state -> Next in
            guard let reader = state.readers[id] else { return (nil, .store(outcome), []) }
            if case .replies(let replies) = outcome, case .streams(let batches, let positions) = replies.first,
                batches.isEmpty
            {
                if let ending = reader.ending {
                    state.remove(id)
                    return (reader.completion, ending, [])
                }
                state.foundNothing(id, positions)
                let again = state.readers[id].flatMap { $0.isLooking ? [(id, $0.unit, $0.lane)] : [] } ?? []
                return (nil, .store(outcome), again)
            }
            state.remove(id)
            let others = reader.group == nil ? [] : reader.keys.flatMap { state.wake($0, onlyGroup: reader.group) }
            return (reader.completion, .store(outcome), others)
        }
        next.completion?(next.answer)
        look(next.awakened)
    }
}

extension BlockedReaders.State {
    fileprivate mutating func remove(_ id: UInt64) {
        guard let reader = readers.removeValue(forKey: id) else { return }
        for key in reader.keys {
            waiting[key]?.removeAll { $0 == id }
            if waiting[key]?.isEmpty == true { waiting[key] = nil }
        }
    }

    /// Those who should look now; those who already do will look again.
    fileprivate mutating func wake(
        _ key: [UInt8], onlyGroup: [UInt8]? = nil
    ) -> [(id: UInt64, unit: StreamUnit, lane: UInt64)] {
        var groups: Set<[UInt8]> = []
        var awakened: [(id: UInt64, unit: StreamUnit, lane: UInt64)] = []
        for id in waiting[key] ?? [] {
            guard let reader = readers[id] else { continue }
            if onlyGroup != nil, reader.group != onlyGroup { continue }
            // Only the first of each group.
            if let group = reader.group, !groups.insert(group).inserted { continue }
            if reader.isLooking {
                readers[id]?.looksAgain = true
            } else {
                readers[id]?.isLooking = true
                awakened.append((id, reader.unit, reader.lane))
            }
        }
        return awakened
    }

    /// `$` has become a position; and it looks again if something has changed meanwhile.
    fileprivate mutating func foundNothing(_ id: UInt64, _ positions: [StreamID]) {
        guard var reader = readers[id] else { return }
        if case .read(var read) = reader.unit.commands.first {
            for (index, position) in zip(read.streams.indices, positions) {
                read.streams[index].position = .after(position)
            }
            reader.unit.commands = [.read(read)]
        }
        reader.isLooking = reader.looksAgain
        reader.looksAgain = false
        readers[id] = reader
    }
}
