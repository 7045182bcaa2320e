import Database
import Foundation
import Resilience
import Synchronization
import Testing

@testable import GuardStore

/// The store over a directory of its own, with a clock that the test moves.
@Suite struct ThresholdStoreTests {
    /// A directory, what the store said, and its time.
    final class Place: Sendable {
        let directory: String
        let events = Mutex<[ThresholdStore.Event]>([])
        let now = Atomic<UInt64>(1)

        init() {
            directory = FileManager.default.temporaryDirectory.path + "/thresholds-\(UUID().uuidString)"
        }

        deinit {
            try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: directory)
            try? FileManager.default.removeItem(atPath: directory)
        }

        var path: String { directory + "/thresholds.db" }

        func store(_ limits: ThresholdStore.Limits = ThresholdStore.Limits()) -> ThresholdStore {
            ThresholdStore(
                directory: directory, limits: limits, observe: { event in self.events.withLock { $0.append(event) } },
                now: { self.now.load(ordering: .relaxed) })
        }

        var told: [ThresholdStore.Event] { events.withLock { $0 } }
    }

    static func state(saved: Double, calls: Int = 200) -> LearnedState {
        var learning = KeyLearning(
            policy: TunerPolicy(timeoutNanoseconds: 1_000_000_000), now: 0, unixSeconds: saved)
        for second in 1...20 {
            _ = learning.second(
                CallSecond(calls: Double(calls), failures: 1, slow: 0, logSum: -900, logSquares: 4_100),
                KeyLearning.Surroundings(now: UInt64(second) * 1_000_000_000, unixSeconds: saved + Double(second)))
        }
        return learning.state(savedUnixSeconds: saved)
    }

    static func record(
        _ key: String, _ number: Int, parameters: BreakerParameters? = nil, exemplar: UInt128? = nil
    ) -> AuditRecord {
        var evidence = ThresholdEvidence()
        evidence.calls = 10_000
        evidence.callsPerSecond = 50
        evidence.failureShare = 0.005
        evidence.overdispersion = 1.5
        evidence.logLatencyMean = number.isMultiple(of: 2) ? -4.6 : nil
        evidence.slowQuantile = number.isMultiple(of: 3) ? 2.25 : nil
        return AuditRecord(
            key: key,
            change: ThresholdChange(
                unixSeconds: 1_767_225_600 + Double(number), parameter: .failureRate, old: 0.5, proposed: 0.077,
                applied: 0.35, limitedBy: .step, actor: .auto, evidence: evidence, isShadow: number.isMultiple(of: 2),
                version: UInt32(number), exemplarTraceID: exemplar),
            parameters: parameters)
    }

    @Test("learned state survives a restart as it was, the newest first")
    func states() {
        let place = Place()
        let (first, second) = (Self.state(saved: 1_000), Self.state(saved: 2_000, calls: 10))
        let store = place.store()
        #expect(store.load() == [])
        store.save([StoredKey(key: "redis/orders/publish", state: first), StoredKey(key: "ü,\"'", state: second)])
        store.flush()
        let newer = Self.state(saved: 3_000)
        store.save([StoredKey(key: "redis/orders/publish", state: newer)])
        store.flush()
        let loaded = place.store().load()
        #expect(loaded.map(\.key) == ["redis/orders/publish", "ü,\"'"])
        #expect(loaded.map(\.state.bytes) == [newer.bytes, second.bytes])
        #expect(store.statistics.statesWritten == 3 && store.statistics.failing == nil)
        #expect(place.told.isEmpty)
    }

    @Test("the trail keeps every word of a record, newest first, by key and in pages")
    func trail() throws {
        let place = Place()
        let store = place.store()
        let id = UInt128(0x0123_4567_89ab_cdef) << 64 | 0xfedc_ba98_7654_3210
        store.record((1...6).map { Self.record($0.isMultiple(of: 2) ? "a" : "b", $0, exemplar: $0 == 6 ? id : nil) })
        store.flush()
        let all = try store.history(limit: 100)
        #expect(all.map(\.number) == [6, 5, 4, 3, 2, 1])
        var expected = Self.record("a", 6, exemplar: id)
        expected.number = 6
        #expect(all[0] == expected)
        #expect(try store.history(key: "b", limit: 2).map(\.number) == [5, 3])
        #expect(try store.history(key: "b", before: 3, limit: 2).map(\.number) == [1])
        #expect(try store.history(key: "c", limit: 2) == [])
        #expect(store.statistics.recordsWritten == 6)
    }

    @Test("the trail is a ring, and keys and sets are bounded")
    func bounds() throws {
        let place = Place()
        var limits = ThresholdStore.Limits()
        limits.auditRecords = 10
        limits.keys = 3
        limits.parameterSetsPerKey = 4
        let store = place.store(limits)
        for batch in 0..<5 {
            store.record(
                (0..<7).map {
                    var set = BreakerParameters(timeoutNanoseconds: 1_000_000_000)
                    set.windowSeconds = Double(batch * 7 + $0)
                    return Self.record("a", batch * 7 + $0, parameters: set)
                })
            store.save([StoredKey(key: "key\(batch)", state: Self.state(saved: Double(batch)))])
            store.flush()
        }
        #expect(try store.history(limit: 100).map(\.number) == Array((26...35).reversed()))
        #expect(store.load().map(\.key) == ["key4", "key3", "key2"])
        let sets = try store.parameterSets(key: "a")
        #expect(sets.map(\.version) == [34, 33, 32, 31])
        #expect(sets[0].parameters.windowSeconds == 34 && sets[0].unixSeconds == 1_767_225_634)
        #expect(sets[0].parameters.slowCallNanoseconds == 1_000_000_000)
    }

    @Test("a directory that cannot be written is told once, counted, tried again later, and told when it is over")
    func unwritable() throws {
        let place = Place()
        // A file where the directory should be: as root, permissions would stop nobody.
        try Data().write(to: URL(fileURLWithPath: place.directory))
        let store = place.store()
        #expect(store.load() == [])
        for _ in 0..<3 {
            store.record([Self.record("a", 1)])
            store.save([StoredKey(key: "a", state: Self.state(saved: 1))])
            store.flush()
        }
        #expect(place.told.count == 1)
        guard case .failed(let failure)? = place.told.first else { return #expect(Bool(false)) }
        #expect(failure.reason == .cannotOpen)
        #expect(failure.description.contains(place.directory))
        #expect(store.statistics.recordsLost == [.cannotOpen: 3] && store.statistics.failing == .cannotOpen)
        #expect(throws: StoreFailure.self) { try store.history(limit: 1) }
        try FileManager.default.removeItem(atPath: place.directory)
        place.now.store(31_000_000_000, ordering: .relaxed)
        store.record([Self.record("a", 2)])
        store.flush()
        #expect(store.statistics.recordsWritten == 1 && store.statistics.failing == nil)
        #expect(place.told.last == .recovered)
        #expect(try store.history(limit: 9).count == 1)
    }

    @Test("after a failure the disk is left alone for a while")
    func patience() throws {
        let place = Place()
        try Data().write(to: URL(fileURLWithPath: place.directory))
        let store = place.store()
        #expect(store.load() == [])
        try FileManager.default.removeItem(atPath: place.directory)
        #expect(store.load() == [])
        #expect(!FileManager.default.fileExists(atPath: place.directory))
        place.now.store(31_000_000_000, ordering: .relaxed)
        #expect(store.load() == [])
        #expect(FileManager.default.fileExists(atPath: place.path))
    }

    @Test("a disk that is full loses records, counts them, and the trail goes on when there is room")
    func full() throws {
        let place = Place()
        let store = place.store()
        store.record([Self.record("a", 1)])
        store.flush()
        // A database that may not grow answers as a full disk does.
        store.limitPages(to: 1)
        store.record((0..<2_000).map { Self.record("a", $0) })
        store.flush()
        #expect(store.statistics.recordsLost == [.diskFull: 2_000])
        #expect(store.statistics.failing == .diskFull)
        place.now.store(31_000_000_000, ordering: .relaxed)
        store.record([Self.record("a", 3)])
        store.flush()
        #expect(try store.history(limit: 100).count == 2)
        #expect(place.told.count == 2)
    }

    @Test("a damaged database is set aside, and learning begins anew")
    func damaged() throws {
        let place = Place()
        try FileManager.default.createDirectory(atPath: place.directory, withIntermediateDirectories: true)
        try Data(String(repeating: "no database. ", count: 1_000).utf8).write(to: URL(fileURLWithPath: place.path))
        let store = place.store()
        #expect(store.load() == [])
        #expect(place.told == [.setAside(path: place.path + ".damaged")])
        store.save([StoredKey(key: "a", state: Self.state(saved: 1))])
        store.flush()
        #expect(place.store().load().count == 1)
        #expect(FileManager.default.fileExists(atPath: place.path + ".damaged"))
    }

    @Test("a database of a later version is left alone; a state of another format is not used")
    func versions() throws {
        let place = Place()
        let store = place.store()
        store.save([
            StoredKey(key: "good", state: Self.state(saved: 1)), StoredKey(key: "bad", state: Self.state(saved: 2)),
        ])
        store.flush()
        let connection = try SQLiteConnection(path: place.path, .readWrite)
        try connection.query("UPDATE learned SET state = x'00' WHERE key = 'bad'")
        #expect(place.store().load().map(\.key) == ["good"])
        #expect(place.told == [.unreadable(1)])
        try connection.execute("PRAGMA user_version = 3")
        let later = place.store()
        #expect(later.load() == [])
        later.record([Self.record("a", 1)])
        later.flush()
        #expect(later.statistics.recordsLost == [.newerFormat: 1])
        #expect(try connection.integer("SELECT count(*) FROM learned") == 2)
    }

    @Test("records that find no room are counted, and writers on many threads lose nothing else")
    func pressure() async throws {
        let place = Place()
        var limits = ThresholdStore.Limits()
        limits.waitingRecords = 100
        let store = place.store(limits)
        store.record((0..<250).map { Self.record("a", $0) })
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for index in 0..<200 { store.record([Self.record("k\(task)", index)]) }
                }
            }
        }
        store.flush()
        let statistics = store.statistics
        #expect(statistics.recordsWritten + statistics.recordsOverflowed == 1_050)
        #expect(statistics.recordsOverflowed >= 150)
        #expect(try store.history(limit: 10_000).count == Int(statistics.recordsWritten))
    }
}
