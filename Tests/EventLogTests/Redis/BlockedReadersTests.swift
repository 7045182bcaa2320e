import EventLogSupport
import Synchronization
import Testing

@testable import EventLog

/// A store that answers when it is told to, and notes in which order it was asked.
private final class PatientStore: StreamStore {
    private struct State {
        var model = StreamModel()
        var asked: [(unit: StreamUnit, lane: UInt64, completion: @Sendable (StreamOutcome) -> Void)] = []
    }

    private let state = Mutex(State())

    func submit(_ unit: StreamUnit, lane: UInt64, completion: @escaping @Sendable (StreamOutcome) -> Void) {
        state.withLock { $0.asked.append((unit, lane, completion)) }
    }

    func submit(_ units: [StreamUnit], completion: @escaping @Sendable ([StreamOutcome]) -> Void) {
        Issue.record("readers that wait ask one by one")
    }

    func look(_ unit: StreamUnit, completion: @escaping @Sendable (StreamOutcome) -> Void) {
        Issue.record("readers that wait ask in their turn")
    }

    func observeChanges(_ observer: @escaping @Sendable ([[UInt8]]) -> Void) {}

    func append(_ text: String) {
        state.withLock { state in
            _ = state.model.apply(.append(StreamAppend(key: [UInt8]("s"), fields: fields(("n", text)))), now: 1)
        }
    }

    func make(_ group: String) {
        state.withLock { state in
            let creation = StreamGroupCreation(
                key: [UInt8]("s"), group: [UInt8](group), start: .last, createsStream: true)
            _ = state.model.apply(.createGroup(creation), now: 1)
        }
    }

    /// Answers the oldest question; who had asked it, nil for none.
    func answer() -> UInt64? {
        let (asked, outcome) = state.withLock { state in
            let asked = state.asked.isEmpty ? nil : state.asked.removeFirst()
            return (asked, asked.map { state.model.apply($0.unit) })
        }
        if let asked, let outcome { asked.completion(outcome) }
        return asked?.lane
    }

    func answerAll() -> [UInt64] {
        var lanes: [UInt64] = []
        while let lane = answer() { lanes.append(lane) }
        return lanes
    }
}

@Suite("Readers that wait")
struct BlockedReadersTests {
    private let store = PatientStore()
    private let readers: BlockedReaders
    private let got = Log()

    final class Log: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    init() {
        readers = BlockedReaders(store: store, clock: { 1 })
        store.make("g")
        store.make("h")
    }

    @discardableResult
    private func wait(_ lane: UInt64, group: String? = nil) -> UInt64 {
        let key = [UInt8]("s")
        let command: StreamCommand =
            group.map {
                .readGroup(
                    StreamGroupRead(
                        group: [UInt8]($0), consumer: [UInt8]("c\(lane)"), streams: [(key, .undelivered)], count: 1))
            } ?? .read(StreamRead(streams: [(key, .last)]))
        return readers.wait(StreamUnit([command], nowUnixMilliseconds: 1), lane: lane) { [got] answer in
            guard case .store(.replies(let replies)) = answer, case .streams(let batches, _) = replies[0] else {
                return got.add("\(lane): \(answer)")
            }
            let values = batches.flatMap(\.entries).map { entry in
                String(decoding: entry.fields?.value(of: "n".utf8) ?? [], as: UTF8.self)
            }
            got.add("\(lane): \(values.joined(separator: " "))")
        }
    }

    @Test("an entry wakes every plain reader, and of each group the one that has waited longest")
    func waking() {
        wait(1)
        wait(2, group: "g")
        wait(3, group: "g")
        wait(4, group: "h")
        wait(5)
        #expect(store.answerAll() == [1, 2, 3, 4, 5])
        #expect(got.all == [])
        store.append("a")
        readers.changed([[UInt8]("s")])
        // The third looks because the second has found something: there could be more.
        #expect(store.answerAll() == [1, 2, 4, 5, 3])
        #expect(got.all == ["1: a", "2: a", "4: a", "5: a"])
        #expect(readers.count == 1)
    }

    @Test("entries that come together go to readers of a group in the order of waiting")
    func together() {
        for lane in 1...4 { wait(UInt64(lane), group: "g") }
        _ = store.answerAll()
        store.append("a")
        store.append("b")
        readers.changed([[UInt8]("s")])
        _ = store.answerAll()
        #expect(got.all == ["1: a", "2: b"])
        #expect(readers.count == 2)
    }

    @Test("what comes between the first look and its answer is not missed, and `$` stays where it was")
    func race() {
        wait(1)
        #expect(store.answer() == 1)
        store.append("a")
        readers.changed([[UInt8]("s")])
        store.append("b")
        readers.changed([[UInt8]("s")])
        #expect(store.answerAll() == [1])
        #expect(got.all == ["1: a b"])
    }

    @Test("a change during a look leads to another look, not to two at once")
    func again() {
        wait(1, group: "g")
        readers.changed([[UInt8]("s")])
        readers.changed([[UInt8]("s")])
        #expect(store.answerAll() == [1, 1])
        #expect(got.all == [])
    }

    @Test("the end of the time waits for a look that is under way, which may have taken an entry")
    func ending() {
        let reader = wait(1, group: "g")
        store.append("a")
        readers.end(reader, with: EmbeddedRedis.foundNothing)
        #expect(got.all == [])
        _ = store.answerAll()
        #expect(got.all == ["1: a"])
        let second = wait(2, group: "g")
        _ = store.answerAll()
        readers.end(second, with: EmbeddedRedis.foundNothing)
        readers.end(second, with: .unblocked)
        #expect(got.all == ["1: a", "2: "])
        #expect(readers.count == 0)
    }
}
