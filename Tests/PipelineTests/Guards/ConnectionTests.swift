import NIOCore
import Pipeline
import Resilience
import Testing

/// What the guard of the upstream hears of connections, and what a client hears that gets none.
@Suite struct ConnectionTests {
    private func connected(_ guarded: GuardedWorld) throws -> Conversation<RedisSession> {
        let session = guarded.connect()
        guard case .passes(let permit) = guarded.admitConnection() else { throw Refused() }
        session.take(permit)
        return session
    }

    private struct Refused: Error {}

    @Test func theFirstReplyProvesTheBroker() throws {
        let guarded = GuardedWorld()
        let session = try connected(guarded)
        #expect(guarded.tally("upstream") == "1 in flight")
        session.client(command("PING"))
        session.upstream("+PONG\r\n")
        #expect(guarded.tally("upstream") == "2 calls")
    }

    @Test func aConnectionOnWhichNobodyAnswersIsATimeout() throws {
        let guarded = GuardedWorld()
        guarded.set("upstream", .probes(most: 1))
        let session = try connected(guarded)
        session.client(command("PING"))
        guarded.world.advance(milliseconds: 5_000)
        session.tick()
        #expect(guarded.tally("upstream") == "2 calls, 2 timeout, 1 probes begun, 1 failed probes")
    }

    @Test func aConnectionThatIsLostAtOnceHasFailed() throws {
        let guarded = GuardedWorld()
        let session = try connected(guarded)
        session.loseUpstream()
        session.close()
        #expect(guarded.tally("upstream") == "1 calls, 1 connection")
    }

    @Test func aConnectionThatNobodyUsesSaysNothing() throws {
        let guarded = GuardedWorld()
        guarded.set("upstream", .probes(most: 2))
        let idle = try connected(guarded)
        let left = try connected(guarded)
        #expect(guarded.tally("upstream") == "2 probes begun, 2 in flight")
        guarded.world.advance(milliseconds: 5_000)
        idle.tick()
        left.close()
        #expect(guarded.cell("upstream").collect().probesBegun == -2)
        #expect(guarded.cell("upstream").inFlight == 0)
    }

    @Test func anOpenBreakerRefusesConnections() {
        let guarded = GuardedWorld()
        guarded.open("upstream")
        guard case .refused(let refusal) = guarded.admitConnection() else {
            Issue.record("the connection was let through")
            return
        }
        #expect(refusal.text == "breaker 'upstream' is open, try again in 1.5 s")
    }

    // MARK: Refusals

    private static let reason = "-ERR tacho: gone\r\n"

    private func refusal(_ pieces: [String]) -> (told: String, isLast: Bool) {
        var machine = RedisSession.refusing("gone")
        var told = ""
        for piece in pieces {
            let (answer, isLast) = machine.answer(ByteBuffer(string: piece))
            told += answer.map { String(buffer: $0) } ?? ""
            if isLast { return (told, true) }
        }
        return (told, false)
    }

    @Test func everyIntroductionIsAnsweredUntilACommandThatMatters() {
        let hello = command("HELLO", "3") + command("CLIENT", "SETINFO", "LIB-NAME", "x") + command("SELECT", "1")
        #expect(refusal([hello]) == (Self.reason + Self.reason + Self.reason, false))
        #expect(refusal([hello, command("XADD", "a", "*", "k", "1")]).told.split(separator: "-").count == 4)
        #expect(
            refusal([command("AUTH", "x") + command("GET", "a") + command("GET", "b")]) == (
                Self.reason + Self.reason, true
            ))
        #expect(refusal(["PING\r\n"]) == (Self.reason, true))
        #expect(refusal(["*1\r\n:1\r\n"]) == (Self.reason, true))
    }

    @Test func refusalsDoNotDependOnThePieces() {
        let text = command("CLIENT", "SETINFO", "LIB-NAME", "x") + command("CLIENT", "SETINFO", "LIB-VER", "1")
        let whole = text + command("XADD", "a", "*", "k", String(repeating: "v", count: 3_000))
        for cut in 1..<(text.utf8.count + 20) {
            let pieces = [String(whole.prefix(cut)), String(whole.dropFirst(cut))]
            #expect(refusal(pieces) == (Self.reason + Self.reason + Self.reason, true), "cut at \(cut)")
        }
    }
}
