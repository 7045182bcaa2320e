import NIOCore
import Pipeline
import Resilience
import Testing

/// The courier as a transcript: what it is given, what it writes, what it reads, and what it hands over.
@Suite("Carrying single commands") struct CourierTests {
    /// A courier whose connection is there when the test says so.
    final class Bench {
        let guarded = GuardedWorld()
        private var courier: RedisCourier
        private var written: [UInt8] = []
        private(set) var opens = 0
        private(set) var closes = 0
        private(set) var wakesAt: UInt64 = 0
        private var deliveries: [CourierDelivery] = []

        init(credentials: OutboundCredentials? = nil, limits: RedisCourier.Limits = .init(), opens: Bool = true) {
            courier = RedisCourier(
                lane: guarded.world.lane, listener: guarded.world.profile, credentials: credentials, limits: limits)
            connectsAtOnce = opens
        }

        private let connectsAtOnce: Bool

        private func take(_ step: OutboundStep<[CourierDelivery]>) {
            written += step.bytes
            deliveries += step.request ?? []
            wakesAt = step.wakesAt
            switch step.connection {
            case .asItIs: break
            case .close: closes += 1
            case .open:
                opens += 1
                if connectsAtOnce { connect() }
            }
        }

        func connect() { take(courier.connected(at: guarded.world.now)) }

        func carry(_ number: UInt64, _ command: String, database: Int = 0, milliseconds: UInt64 = 1_000) {
            take(
                courier.carry(
                    CourierOrder(
                        number: number, command: Array(command.utf8), database: database,
                        deadline: guarded.world.now.monotonicNanoseconds + milliseconds * 1_000_000),
                    at: guarded.world.now))
        }

        func wrote() -> String {
            defer { written = [] }
            return String(decoding: written, as: UTF8.self)
        }

        func reply(_ text: String) {
            take(courier.received(ByteBuffer(string: text), at: guarded.world.now))
        }

        func lose(_ outcome: ConnectionOutcome = .failed) {
            take(courier.disconnected(outcome, at: guarded.world.now))
        }

        func wait(milliseconds: UInt64) {
            guarded.world.advance(milliseconds: milliseconds)
            take(courier.woken(at: guarded.world.now))
        }

        /// What was handed over since the last call, one line each.
        func handed() -> [String] {
            defer { deliveries = [] }
            return deliveries.map { delivery in
                switch delivery.outcome {
                case .answered(let reply): "\(delivery.number) \(String(decoding: reply.frame, as: UTF8.self))"
                case .undone(let failure): "\(delivery.number) undone \(failure)"
                case .unknown(let failure): "\(delivery.number) unknown \(failure)"
                }
            }
        }
    }

    private func add(_ value: String) -> String { command("XADD", "orders", "IDMP", "p", value, "*", "k", value) }

    @Test("commands go out in one piece, each gets its reply")
    func pipelined() {
        let bench = Bench()
        bench.carry(1, add("a"))
        bench.carry(2, add("b"))
        #expect(bench.wrote() == add("a") + add("b") && bench.opens == 1)
        bench.reply(bulk("1-0") + "-OOM no\r\n")
        #expect(bench.handed() == ["1 " + bulk("1-0"), "2 -OOM no\r\n"])
        bench.carry(3, add("c"))
        bench.reply("$-1\r\n")
        #expect(bench.handed() == ["3 $-1\r\n"])
    }

    private static let steps = [ok, ok, bulk("1-0") + "-LOADING wait\r\n"]

    @Test("replies split anywhere are the same", arguments: 1..<24)
    func split(at cut: Int) {
        let bench = Bench(credentials: OutboundCredentials(username: "u", password: "p"))
        bench.carry(1, add("a"), database: 3)
        bench.carry(2, add("b"), database: 3)
        for step in Self.steps {
            bench.reply(String(step.prefix(cut)))
            bench.reply(String(step.dropFirst(cut)))
        }
        #expect(bench.handed() == ["1 " + bulk("1-0"), "2 -LOADING wait\r\n"])
    }

    @Test(
        "lost at any byte: before it was written it is undone, then its fate is unknown, then it has its reply",
        arguments: 0..<26)
    func lost(behind count: Int) {
        let bench = Bench(credentials: OutboundCredentials(username: "u", password: "p"))
        bench.carry(1, add("a"), database: 3)
        for byte in Self.steps.joined().utf8.prefix(count) { bench.reply(String(UnicodeScalar(byte))) }
        bench.lose()
        let written = (ok + ok).utf8.count
        let replied = written + bulk("1-0").utf8.count
        let expected =
            count < written ? "1 undone connection" : count < replied ? "1 unknown connection" : "1 " + bulk("1-0")
        #expect(bench.handed() == [expected])
    }

    @Test("signing in and the database come first, and are answered before the command is written")
    func introduces() {
        let bench = Bench(credentials: OutboundCredentials(username: "", password: "secret"))
        bench.carry(1, add("a"), database: 2)
        #expect(bench.wrote() == command("AUTH", "secret"))
        bench.reply(ok)
        #expect(bench.wrote() == command("SELECT", "2"))
        bench.carry(2, add("b"), database: 2)
        #expect(bench.wrote() == "")
        bench.reply(ok)
        #expect(bench.wrote() == add("a") + add("b"))
        // Another database waits until it is selected, and what is behind it too.
        bench.carry(3, add("c"))
        bench.carry(4, add("d"), database: 2)
        #expect(bench.wrote() == command("SELECT", "0"))
        bench.reply(bulk("1-0") + bulk("2-0") + ok)
        #expect(bench.wrote() == add("c") + command("SELECT", "2"))
        bench.reply(bulk("3-0") + ok)
        #expect(bench.wrote() == add("d"))
        bench.reply(bulk("4-0"))
        #expect(bench.handed().count == 4)
    }

    @Test("a database that cannot be selected fails its commands alone")
    func noDatabase() {
        let bench = Bench()
        bench.carry(1, add("a"), database: 99)
        bench.carry(2, add("b"))
        #expect(bench.wrote() == command("SELECT", "99"))
        bench.reply("-ERR DB index is out of range\r\n")
        #expect(bench.wrote() == add("b"))
        #expect(bench.handed() == [#"1 undone refused("ERR DB index is out of range")"#])
    }

    @Test("a password that is refused fails what waits, and is tried again with the next command")
    func wrongPassword() {
        let bench = Bench(credentials: OutboundCredentials(username: "", password: "secret"))
        bench.carry(1, add("a"))
        bench.reply("-WRONGPASS no\r\n")
        #expect(bench.handed() == [#"1 undone refused("WRONGPASS no")"#])
        _ = bench.wrote()
        bench.carry(2, add("b"))
        #expect(bench.wrote() == command("AUTH", "secret"))
    }

    @Test("a connection that is lost: what was written is of unknown fate, what was not is undone")
    func lost() {
        let bench = Bench()
        bench.carry(1, add("a"))
        bench.carry(2, add("b"))
        bench.carry(3, add("c"), database: 1)
        bench.reply(bulk("1-0") + "$3\r\n2-")
        bench.lose()
        #expect(bench.handed() == ["1 " + bulk("1-0"), "2 unknown connection", "3 undone connection"])
        _ = bench.wrote()
        bench.carry(4, add("d"))
        #expect(bench.wrote() == add("d") && bench.opens == 2)
        // The rest of a reply belongs to the former connection.
        bench.reply(bulk("4-0"))
        #expect(bench.handed() == ["4 " + bulk("4-0")])
    }

    @Test("a connection that cannot be opened, or not in time", arguments: [ConnectionOutcome.failed, .timedOut])
    func unreachable(outcome: ConnectionOutcome) {
        let bench = Bench(opens: false)
        bench.carry(1, add("a"))
        bench.carry(2, add("b"))
        #expect(bench.opens == 1)
        bench.lose(outcome)
        let failure = outcome == .timedOut ? "timeout" : "connection"
        #expect(bench.handed() == ["1 undone \(failure)", "2 undone \(failure)"])
        bench.carry(3, add("c"))
        #expect(bench.opens == 2)
    }

    @Test("the guard of the upstream decides about connections")
    func guarded() {
        let bench = Bench()
        bench.guarded.open("upstream")
        bench.carry(1, add("a"))
        #expect(bench.opens == 0)
        #expect(bench.handed().first?.contains(" is open, try again in 1.5 s") == true)
    }

    @Test("deadlines: before and after a command was written")
    func deadlines() {
        let bench = Bench(opens: false)
        bench.carry(1, add("a"), milliseconds: 100)
        bench.carry(2, add("b"), milliseconds: 500)
        bench.wait(milliseconds: 100)
        #expect(bench.handed() == ["1 undone timeout"])
        bench.connect()
        bench.carry(3, add("c"), milliseconds: 100)
        #expect(bench.wrote() == add("b") + add("c"))
        // The oldest may still be answered; then the reply behind it is for nobody.
        bench.wait(milliseconds: 100)
        #expect(bench.handed() == ["3 unknown timeout"] && bench.closes == 0)
        bench.reply(bulk("2-0") + bulk("3-0"))
        #expect(bench.handed() == ["2 " + bulk("2-0")])
    }

    @Test("a broker that is silent: the connection is given up with the oldest deadline, and another one opened")
    func silent() {
        let bench = Bench()
        bench.carry(1, add("a"), milliseconds: 100)
        bench.carry(2, add("b"), milliseconds: 500)
        bench.wait(milliseconds: 99)
        #expect(bench.handed() == [])
        bench.wait(milliseconds: 1)
        #expect(bench.handed() == ["1 unknown timeout", "2 unknown connection"] && bench.closes == 1)
        bench.carry(3, add("c"))
        #expect(bench.opens == 1)
        bench.reply(bulk("1-0"))
        bench.lose()
        #expect(bench.opens == 2)
        _ = bench.wrote()
        bench.reply(bulk("3-0"))
        #expect(bench.handed() == ["3 " + bulk("3-0")])
    }

    @Test("no more commands and bytes than it may hold")
    func bounds() {
        var limits = RedisCourier.Limits()
        limits.commands = 2
        limits.bytes = 2 * add("a").utf8.count
        let bench = Bench(limits: limits, opens: false)
        bench.carry(1, add("a"))
        bench.carry(2, add("bb"))
        #expect(bench.handed() == ["2 undone full"])
        bench.carry(3, add("c"))
        bench.carry(4, add("d"))
        #expect(bench.handed() == ["4 undone full"])
        bench.connect()
        bench.reply(bulk("1-0"))
        bench.carry(5, add("e"))
        #expect(bench.handed() == ["1 " + bulk("1-0")])
    }

    @Test("the connection is closed when nothing was carried for a while")
    func idle() {
        let bench = Bench()
        bench.carry(1, add("a"))
        bench.reply(bulk("1-0"))
        bench.wait(milliseconds: 9_999)
        #expect(bench.closes == 0)
        bench.wait(milliseconds: 1)
        #expect(bench.closes == 1)
        bench.lose()
        #expect(bench.opens == 1)
        bench.carry(2, add("b"))
        #expect(bench.opens == 2)
    }

    @Test(
        "what is no reply, or one that nobody asked for, ends the connection", arguments: ["nonsense\r\n", "+OK\r\n"])
    func malformed(text: String) {
        let bench = Bench()
        bench.carry(1, add("a"))
        if text == ok { bench.reply(bulk("1-0")) }
        _ = bench.handed()
        bench.carry(2, add("b"))
        bench.reply(text == ok ? bulk("2-0") + text : text)
        #expect(bench.closes == 1 && bench.handed().count == (text == ok ? 1 : 2))
    }
}
