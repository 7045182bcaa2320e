import EventLog
import Foundation
import Gateway
import Logging
import Pipeline
import Synchronization
import Telemetry
import Testing

@testable import Sidecar

/// The spool on disk, and what people see of it and order.
@Suite("The spool on disk, for people") final class SpoolAdministratorTests {
    private let directory = NSTemporaryDirectory() + "spool-" + UUID().uuidString
    private let clock = Clock()
    private var log: DurableLog
    private var store: SpoolLog
    private var desk: SpoolAdministrator

    private static let orders = SpoolKey(listener: "shop", database: 0, stream: Array("orders".utf8))
    private static let bills = SpoolKey(listener: "gone", database: 2, stream: Array("bi\0lls".utf8))

    private final class Clock: Sendable {
        let milliseconds = Atomic<UInt64>(1_700_000_000_000)
    }

    init() async throws {
        (log, store, desk) = try await Self.open(directory, clock)
    }

    deinit {
        log.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    private static func open(
        _ directory: String, _ clock: Clock
    ) async throws -> (DurableLog, SpoolLog, SpoolAdministrator) {
        let log = try DurableLog(directory: directory) { 1_700_000_000_000 }
        let store = SpoolLog(log: log) { clock.milliseconds.load(ordering: .relaxed) }
        let left = try await store.contents()
        let spool = Spool(
            limits: SpoolLimits(messages: 1_000, bytes: 1 << 20, waitNanoseconds: 1), store: store,
            left: left.waiting, setAside: left.setAside, random: 0, unixNanoseconds: 0)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return (log, store, SpoolAdministrator(spool: spool, listeners: ["shop"], logger: logger))
    }

    private func reopen() async throws {
        log.close()
        (log, store, desk) = try await Self.open(directory, clock)
    }

    private func message(_ number: Int, traceParent: String = "") -> SpooledMessage {
        let words = ["$4\r\nXADD\r\n$6\r\norders\r\n", "$1\r\nn\r\n$\("\(number)".utf8.count)\r\n\(number)\r\n"]
        let entry = SpooledEntry(
            head: Array("*5\r\n\(words[0])".utf8), tail: Array(words[1].utf8), sequenceBase: 1 << 32)
        return SpooledMessage(.redis(entry), traceParent: traceParent)
    }

    /// Stores messages and has the broker refuse them; then the spool is opened as after a restart.
    private func setAside(_ key: SpoolKey, _ reasons: [String], traceParent: String = "") async throws {
        for (number, reason) in reasons.enumerated() {
            var message = message(number, traceParent: traceParent)
            message.id = try await ask { store.append(message, to: key, completion: $0) }
            clock.milliseconds.add(10, ordering: .relaxed)
            try await ask { store.setAside(key, message, reason: reason, completion: $0) }
        }
        try await reopen()
    }

    private func ask<Value: Sendable>(
        _ call: (@escaping @Sendable (Result<Value, SpoolFailure>) -> Void) -> Void
    ) async throws -> Value {
        try await withCheckedContinuation { continuation in call { continuation.resume(returning: $0) } }.get()
    }

    private func shown(_ choice: SpoolChoice = SpoolChoice()) async throws -> [SpoolMessageView] {
        try await desk.messages(choice, isWaiting: false, after: nil, limit: 1_000).messages
    }

    private func choice(_ change: (inout SpoolChoice) -> Void) -> SpoolChoice {
        var choice = SpoolChoice()
        change(&choice)
        return choice
    }

    @Test("what an earlier process has left is listed by stream and reason")
    func streams() async throws {
        try await setAside(Self.orders, ["WRONGTYPE", "ERR", "WRONGTYPE"])
        try await setAside(Self.bills, ["ERR"])
        let list = try await desk.streams(SpoolChoice(), limit: 10)
        #expect(list.streams.map(\.stream) == ["bi\0lls", "orders"] && list.leftOut == 0)
        #expect(list.streams.map(\.isSentOn) == [false, true])
        let part = list.streams[1].setAside
        #expect(part.messages == 3 && part.reasons == ["WRONGTYPE": 2, "ERR": 1] && part.oldest == 1_700_000_000_010)
        #expect(list.streams[1].waiting == SpoolStreamView.Part(messages: 0, bytes: 0, oldest: nil))
        #expect(try await desk.streams(SpoolChoice(), limit: 1).leftOut == 1)
    }

    @Test("a message is shown with what its client was told, its trace and its fields")
    func message() async throws {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        try await setAside(Self.orders, ["WRONGTYPE"], traceParent: parent)
        let one = try #require(try await shown().first)
        #expect(one.id == "1700000000010-0" && one.state == "set_aside" && one.reason == "WRONGTYPE")
        #expect(one.promised == "1700000000000-4294967296" && one.stored == 1_700_000_000_000)
        #expect(one.traceID == "0af7651916cd43dd8448eb211c80319c")
        #expect(one.command == [.text("XADD"), .text("orders")] && one.fields == [[.text("n"), .text("0")]])
    }

    @Test("pages go on where the last one ended, across streams")
    func pages() async throws {
        try await setAside(Self.orders, Array(repeating: "ERR", count: 70))
        try await setAside(Self.bills, Array(repeating: "ERR", count: 3))
        var (after, ids): (String?, [String]) = (nil, [])
        repeat {
            let page = try await desk.messages(SpoolChoice(), isWaiting: false, after: after, limit: 20)
            ids += page.messages.map { "\($0.stream) \($0.id)" }
            after = page.next
        } while after != nil
        #expect(ids.count == 73 && Set(ids).count == 73 && ids[0].hasPrefix("bi") && ids[3].hasPrefix("orders"))
        await #expect(throws: SpoolProblem.badPlace) {
            try await desk.messages(SpoolChoice(), isWaiting: false, after: "61.b.c.1-1", limit: 1)
        }
    }

    @Test("filters: reason, stream, database, listener, time, id")
    func filters() async throws {
        try await setAside(Self.orders, ["WRONGTYPE", "ERR", "WRONGTYPE"])
        try await setAside(Self.bills, ["ERR"])
        let cases: [(SpoolChoice, Int)] = [
            (choice { $0.reason = "ERR" }, 2), (choice { $0.stream = "orders" }, 3), (choice { $0.database = 2 }, 1),
            (choice { $0.listener = "shop" }, 3), (choice { $0.since = 1_700_000_000_020...1_700_000_000_030 }, 2),
            (choice { $0.ids = ["1700000000010-0", "9-9"] }, 1), (choice { $0.stream = "nobody" }, 0),
        ]
        for (choice, count) in cases { #expect(try await shown(choice).count == count, "\(choice)") }
        await #expect(throws: SpoolProblem.badID) { try await self.shown(self.choice { $0.ids = ["seven"] }) }
    }

    @Test("redriven messages wait behind the others, with what their clients were told, also after a restart")
    func redriven() async throws {
        try await setAside(Self.orders, ["WRONGTYPE", "ERR"])
        let waiting = try await ask { store.append(message(9), to: Self.orders, completion: $0) }
        try await reopen()
        let plan = try await desk.redrive(SpoolChoice(), limit: 1_000, isDryRun: true)
        #expect(plan == SpoolRedriveReport(isDryRun: true, redriven: 2, skipped: 0))
        #expect(try await shown().count == 2)
        let report = try await desk.redrive(choice { $0.reason = "WRONGTYPE" }, limit: 1_000, isDryRun: false)
        #expect(report.redriven == 1)
        #expect(try await shown().map(\.reason) == ["ERR"])
        try await reopen()
        let messages = try await ask { store.load(Self.orders, most: 10, completion: $0) }
        #expect(messages.map(\.id).first == waiting && messages.count == 2)
        #expect(messages.last?.promise == "1700000000000-4294967296")
        let list = try await desk.streams(SpoolChoice(), limit: 10).streams
        #expect(list.map(\.waiting.messages) == [2] && list.map(\.setAside.messages) == [1])
    }

    @Test("messages of a listener that is not there stay, unless they are purged")
    func skipped() async throws {
        try await setAside(Self.bills, ["ERR"])
        let report = try await desk.redrive(SpoolChoice(), limit: 1_000, isDryRun: false)
        #expect(report == SpoolRedriveReport(isDryRun: false, redriven: 0, skipped: 1))
        #expect(try await desk.purge(SpoolChoice(), limit: 1_000).purged == 1)
        try await reopen()
        #expect(try await desk.streams(SpoolChoice(), limit: 10).streams == [])
    }

    @Test("the limit takes the oldest; an id that two streams have means neither; one order at a time")
    func orders() async throws {
        clock.milliseconds.store(1_700_000_000_000, ordering: .relaxed)
        try await setAside(Self.orders, ["ERR", "ERR", "ERR"])
        #expect(try await desk.purge(SpoolChoice(), limit: 1).purged == 1)
        let left = try await shown()
        #expect(left.map(\.id) == ["1700000000020-0", "1700000000030-0"])
        clock.milliseconds.store(1_700_000_000_010, ordering: .relaxed)
        try await setAside(Self.bills, ["ERR"])
        let ambiguous = choice { $0.ids = ["1700000000020-0"] }
        await #expect(throws: SpoolProblem.ambiguousID("1700000000020-0")) {
            try await desk.purge(ambiguous, limit: 10)
        }
        var exact = ambiguous
        exact.stream = "orders"
        #expect(try await desk.purge(exact, limit: 10).purged == 1)
        #expect(desk.spool.beginOrder())
        await #expect(throws: SpoolProblem.busy) { try await desk.purge(SpoolChoice(), limit: 10) }
        desk.spool.endOrder()
        #expect(try await desk.purge(SpoolChoice(), limit: 10).purged == 2)
    }

    @Test("a message of NATS is shown as one, also one that never waited")
    func foreign() async throws {
        let publish = SpooledPublish(
            subject: Array("orders".utf8), headers: Array("NATS/1.0\r\na: b\r\n\r\n".utf8), body: [0xFF, 0x0D],
            stream: JetStreamName(stream: Array("ORDERS".utf8)))
        let message = SpooledMessage(.nats(publish), traceParent: "")
        try await ask { store.setAside(Self.orders, message, reason: "breaker_open", completion: $0) }
        try await reopen()
        let one = try #require(try await shown().first)
        #expect(one.command == [.text("HPUB"), .text("orders")] && one.fields == [[.text("a"), .text("b")]])
        #expect(one.body == .base64("/w0=") && one.reason == "breaker_open" && one.promised != nil)
    }
}
