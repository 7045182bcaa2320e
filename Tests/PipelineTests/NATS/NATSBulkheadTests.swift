import Pipeline
import Testing

/// Messages that wait for a place among those under way, and everything behind them on their connection.
@Suite struct NATSBulkheadTests {
    private func world(waitingMax: Int = 10, perConnectionMax: Int = 0, frameBytesMax: Int = 1_024) -> GuardedWorld {
        let guarded = GuardedWorld(
            frameBytesMax: frameBytesMax,
            bulkhead: BulkheadPolicy(
                waitingMax: waitingMax, waitNanoseconds: 50_000_000, perConnectionMax: perConnectionMax))
        guarded.limit("orders publish", to: 1)
        return guarded
    }

    private func client(_ guarded: GuardedWorld) -> Conversation<NATSSession> {
        let session = guarded.world.connectNATS()
        session.upstream(#"INFO {"headers":true,"max_payload":1048576}"# + "\r\n")
        session.client(#"CONNECT {"headers":true,"verbose":false}"# + "\r\nSUB _INBOX.abc.* 1\r\n")
        return session
    }

    /// A request for an answer at the inbox of this number.
    private func ask(_ number: Int, _ subject: String = "orders", _ body: String = "x") -> String {
        pub(subject, body, reply: "_INBOX.abc.\(number)")
    }

    private func answer(_ number: Int) -> String { msg("_INBOX.abc.\(number)", "1", "done") }

    private func full(_ number: Int) -> String {
        hmsg("_INBOX.abc.\(number)", "1", [], "", status: "503 tacho: bulkhead orders publish is full, try again soon")
    }

    @Test func theSecondWaitsForTheAnswerToTheFirst() {
        let guarded = world()
        let session = client(guarded)
        #expect(session.client(ask(1) + ask(2) + "PING\r\n") == ask(1))
        #expect(session.isHolding && !session.isIdle)
        #expect(guarded.cell("orders publish").waitingCount == 1)
        #expect(session.upstream("PONG\r\n") == "PONG\r\n")
        #expect(session.forwardedLater() == "")
        #expect(session.upstream(answer(1)) == answer(1))
        #expect(session.forwardedLater() == ask(2) + "PING\r\n")
        #expect(!session.isHolding)
        #expect(guarded.cell("orders publish").waitingCount == 0)
        #expect(session.upstream(answer(2) + "PONG\r\n") == answer(2) + "PONG\r\n")
        #expect(session.isIdle)
        #expect(guarded.tally("orders publish") == "2 calls")
    }

    @Test func othersAndMessagesThatNobodyAnswersAreNotCounted() {
        let session = client(world())
        #expect(session.client(ask(1)) == ask(1))
        #expect(session.client(ask(3, "bills")) == ask(3, "bills"))
        #expect(session.client(pub("orders", "x")) == pub("orders", "x"))
        #expect(!session.isHolding)
    }

    @Test func whatArrivesMeanwhileWaitsToo() {
        let session = client(world())
        #expect(session.client(ask(1) + ask(2)) == ask(1))
        #expect(session.client("PING\r\n" + String(ask(3, "bills").prefix(9))) == "")
        session.upstream(answer(1))
        #expect(session.forwardedLater() == ask(2) + "PING\r\n")
        #expect(session.client(String(ask(3, "bills").dropFirst(9))) == ask(3, "bills"))
    }

    @Test func whoWaitsTooLongIsRefused() {
        let guarded = world()
        let other = client(guarded)
        #expect(other.client(ask(1)) == ask(1))
        let session = client(guarded)
        #expect(session.client("PING\r\n" + ask(2) + pub("bills", "y")) == "PING\r\n")
        guarded.world.advance(milliseconds: 49)
        session.resume()
        #expect(session.isHolding)
        guarded.world.advance(milliseconds: 1)
        session.resume()
        #expect(!session.isHolding)
        #expect(session.forwardedLater() == pub("bills", "y"))
        #expect(session.answered() == full(2))
        #expect(guarded.cell("orders publish").turnedAwayCount == 1)
        #expect(guarded.cell("orders publish").waitingCount == 0)
    }

    @Test func aPlaceThatBecomesFreeElsewhereIsFoundByLookingAgain() {
        let guarded = world()
        let other = client(guarded)
        other.client(ask(1))
        let session = client(guarded)
        #expect(session.client(ask(2)) == "")
        other.upstream(answer(1))
        guarded.world.advance(milliseconds: 2)
        session.resume()
        #expect(session.forwardedLater() == ask(2))
        #expect(guarded.tally("orders publish") == "1 calls, 1 in flight")
    }

    @Test func onlySoManyMayWait() {
        let guarded = world(waitingMax: 1)
        let sessions = (0..<3).map { _ in client(guarded) }
        #expect(sessions.map { $0.client(ask(1)) } == [ask(1), "", ""])
        #expect(sessions.map(\.isHolding) == [false, true, false])
        #expect(sessions[2].answered() == full(1))
    }

    @Test func aLargePayloadWaitsBeforeItsFirstByte() {
        let session = client(world())
        let large = hpubRequest(2, String(repeating: "v", count: 5_000))
        #expect(session.client(ask(1) + String(large.prefix(1_100))) == ask(1))
        #expect(session.isHolding)
        session.upstream(answer(1))
        #expect(session.forwardedLater() == String(large.prefix(1_100)))
        #expect(session.client(String(large.dropFirst(1_100)) + "PING\r\n") == large.dropFirst(1_100) + "PING\r\n")
    }

    @Test func theRefusedRestOfALargePayloadIsSwallowed() {
        let guarded = world()
        let session = client(guarded)
        let large = hpubRequest(2, String(repeating: "v", count: 5_000))
        #expect(session.client(ask(1) + String(large.prefix(1_100))) == ask(1))
        guarded.world.advance(milliseconds: 50)
        session.resume()
        #expect(session.answered() == full(2))
        #expect(session.client(String(large.dropFirst(1_100)) + "PING\r\n") == "PING\r\n")
        #expect(session.forwardedLater() == "")
    }

    private func hpubRequest(_ number: Int, _ body: String) -> String {
        hpub("orders", [("A", "1")], body, reply: "_INBOX.abc.\(number)")
    }

    @Test func oneConnectionMayHaveSoManyQuestionsOpen() {
        let guarded = world(perConnectionMax: 2)
        let session = client(guarded)
        #expect(session.client((1...3).map { ask($0, "bills") }.joined()) == ask(1, "bills") + ask(2, "bills"))
        #expect(session.isHolding)
        session.upstream(answer(1))
        #expect(session.forwardedLater() == ask(3, "bills"))
        #expect(session.client(ask(4, "bills")) == "")
        guarded.world.advance(milliseconds: 50)
        session.resume()
        #expect(session.answered().contains("bulkhead of this connection is full"))
    }

    @Test func aClientThatLeavesDoesNotTakeItsMessagesBack() {
        let guarded = world()
        let session = client(guarded)
        #expect(session.client(ask(1) + ask(2) + "PING\r\nPU") == ask(1))
        #expect(session.clientFinished() == ask(2) + "PING\r\nPU")
        #expect(!session.isHolding)
        #expect(guarded.cell("orders publish").waitingCount == 0)
    }

    @Test func aSessionThatEndsFreesItsPlaces() {
        let guarded = world()
        let session = client(guarded)
        session.client(ask(1) + ask(2))
        session.close()
        #expect(guarded.cell("orders publish").waitingCount == 0)
        #expect(client(guarded).client(ask(1)) == ask(1))
    }

    @Test func aLostUpstreamFreesThePlacesOfOthers() {
        let guarded = world()
        let session = client(guarded)
        session.client(ask(1))
        session.loseUpstream()
        #expect(client(guarded).client(ask(1)) == ask(1))
    }

    @Test func theBreakerStillSpeaksFirst() {
        let guarded = world()
        let session = client(guarded)
        #expect(session.client(ask(1) + ask(2)) == ask(1))
        guarded.open("orders publish")
        guarded.world.advance(milliseconds: 2)
        session.resume()
        #expect(!session.isHolding)
        #expect(guarded.cell("orders publish").waitingCount == 0)
        #expect(session.answered().contains("503 tacho: breaker orders publish is open, try again in 1.4 s"))
    }

    @Test func ourRefusalWaitsForTheMessageThatIsOnItsWay() {
        let guarded = world()
        let session = client(guarded)
        session.client(ask(1) + ask(2))
        #expect(session.upstream("MSG a 9 4\r\nab") == "MSG a 9 4\r\nab")
        guarded.world.advance(milliseconds: 50)
        session.resume()
        #expect(session.answered() == "")
        #expect(session.upstream("cd\r\nPING\r\n") == "cd\r\n" + full(2) + "PING\r\n")
    }

    @Test func anUpstreamThatIsNotUnderstoodGetsWhatWasHeld() {
        let session = client(world())
        #expect(session.client(ask(1) + ask(2) + "PING\r\n") == ask(1))
        #expect(session.upstream("?what\r\n") == "?what\r\n")
        #expect(session.forwardedLater() == ask(2) + "PING\r\n")
        #expect(!session.isHolding)
        #expect(session.client("PING\r\n") == "PING\r\n")
    }

    @Test func everySplitIsTheSame() {
        let text = Array(("PING\r\n" + ask(1) + hpubRequest(2, "body") + "PING\r\n" + ask(3)).utf8)
        for cut in 1..<text.count {
            let session = client(world())
            var forwarded = String(decoding: session.client(Array(text[..<cut])), as: UTF8.self)
            forwarded += String(decoding: session.client(Array(text[cut...])), as: UTF8.self)
            let replies = ["PONG\r\n", answer(1), answer(2), "PONG\r\n", answer(3)]
            var told = ""
            for reply in replies {
                told += session.upstream(reply)
                forwarded += session.forwardedLater()
            }
            #expect(forwarded == String(decoding: text, as: UTF8.self), "cut at \(cut)")
            #expect(told == replies.joined(), "cut at \(cut)")
            #expect(session.isIdle, "cut at \(cut)")
        }
    }

    @Test func splitsOfAnAnswerMakeNoDifference() {
        let text = Array((answer(1) + "PING\r\n").utf8)
        for cut in 1..<text.count {
            let session = client(world())
            #expect(session.client(ask(1) + ask(2)) == ask(1))
            var told = session.upstream(Array(text[..<cut]))
            told += session.upstream(Array(text[cut...]))
            #expect(told == text, "cut at \(cut)")
            #expect(session.forwardedLater() == ask(2), "cut at \(cut)")
        }
    }
}
