import Pipeline
import Telemetry
import Testing

/// Publishes with `Nats-Msg-Id` whose tries fail, and what the client, the server and the guards see of it.
@Suite struct NATSRetryTests {
    private let limits = PublishRetryLimits(withinNanoseconds: 3_000_000_000, messagesMax: 4, bytesMax: 4_096)

    private func world(
        _ limits: PublishRetryLimits? = nil, inject: InjectionRule = .never, bulkhead: BulkheadPolicy? = nil
    ) -> GuardedWorld {
        GuardedWorld(inject: inject, bulkhead: bulkhead, retries: limits ?? self.limits)
    }

    private func client(_ guarded: GuardedWorld, verbose: Bool = false) -> Conversation<NATSSession> {
        let session = guarded.world.connectNATS()
        session.upstream(#"INFO {"headers":true,"max_payload":1048576}"# + "\r\n")
        session.client(#"CONNECT {"headers":true,"no_responders":true,"verbose":\#(verbose)}"# + "\r\n")
        session.client("SUB _INBOX.abc.* 1\r\n")
        return session
    }

    private func keyed(_ number: Int = 1, _ body: String = "x", more: [(String, String)] = []) -> String {
        hpub("orders", [("Nats-Msg-Id", "k\(number)")] + more, body, reply: "_INBOX.abc.\(number)")
    }

    private func stored(_ number: Int = 1, duplicate: Bool = false) -> String {
        let mark = duplicate ? #","duplicate":true"# : ""
        return msg("_INBOX.abc.\(number)", "1", #"{"stream":"S","seq":\#(number)\#(mark)}"#)
    }

    private func nobody(_ number: Int = 1) -> String { hmsg("_INBOX.abc.\(number)", "1", [], "", status: "503") }

    private func refusal(_ number: Int = 1, code: Int = 503, error: Int = 10_008) -> String {
        msg("_INBOX.abc.\(number)", "1", #"{"error":{"code":\#(code),"err_code":\#(error)}}"#)
    }

    /// A subject that JetStream is known to store.
    private func known(_ session: Conversation<NATSSession>) {
        session.client(keyed(0))
        session.upstream(stored(0))
    }

    /// As the shell does: waits until the session wants to be called, and calls it.
    private func wait(_ session: Conversation<NATSSession>) -> String {
        guard let moment = session.resumesAt else { return "never" }
        let now = session.world.now.monotonicNanoseconds
        session.world.advance(milliseconds: moment > now ? (moment - now) / 1_000_000 + 1 : 0)
        session.resume()
        return session.forwardedLater()
    }

    private func retries(_ guarded: GuardedWorld, _ outcome: String) -> Double {
        guarded.world.metric("tacho_retries_total", #"operation="publish",outcome="\#(outcome)""#)
    }

    @Test func whatNobodyTookIsSentAgain() {
        let guarded = world()
        let session = client(guarded)
        #expect(session.client(keyed()) == keyed())
        #expect(session.upstream(nobody()) == "")
        #expect(session.resumesAt != nil && !session.isHolding && !session.isIdle)
        #expect(session.client("PING\r\n") == "PING\r\n")
        #expect(wait(session) == keyed())
        #expect(session.upstream(stored()) == stored())
        #expect(session.isIdle && session.resumesAt == nil)
        #expect(guarded.tally("orders publish") == "2 calls, 1 unavailable")
        #expect(retries(guarded, "retried") == 1)
    }

    @Test(arguments: [(503, 10_008), (500, 10_049)])
    func whatTheServerIsToBlameForIsTriedAgain(code: Int, error: Int) {
        let session = client(world())
        session.client(keyed())
        #expect(session.upstream(refusal(code: code, error: error)) == "")
        #expect(wait(session) == keyed())
        #expect(session.upstream(stored()) == stored())
    }

    @Test func theClientsOwnMistakesAreTold() {
        let session = client(world())
        session.client(keyed())
        let answer = refusal(code: 400, error: 10_071)
        #expect(session.upstream(answer) == answer)
        #expect(session.resumesAt == nil)
    }

    @Test func withoutAKeyOrAnInboxNothingIsSentTwice() {
        let guarded = world()
        let session = client(guarded)
        let plain = hpub("orders", [("A", "1")], "x", reply: "_INBOX.abc.1")
        #expect(session.client(plain) == plain)
        #expect(session.upstream(nobody()) == nobody())
        #expect(session.client(pub("orders", "x", reply: "_INBOX.abc.1")) != "")
        #expect(session.upstream(nobody()) == nobody())
        session.client(hpub("orders", [("Nats-Msg-Id", "k")], "x"))
        #expect(session.resumesAt == nil)
        #expect(guarded.world.metric("tacho_retries_total") == 0)
    }

    @Test func offIsOff() {
        let guarded = GuardedWorld()
        let session = client(guarded)
        session.client(keyed())
        #expect(session.upstream(nobody()) == nobody())
    }

    @Test func theSameBytesWithEverythingThatWasAdded() {
        let guarded = world(inject: .always)
        let session = client(guarded)
        let sent = session.client("PING\r\n" + keyed() + "PING\r\n")
        #expect(sent.contains("traceparent: "))
        session.upstream(nobody())
        #expect("PING\r\n" + wait(session) + "PING\r\n" == sent)
        session.upstream(stored())
        let spans = guarded.world.records()
        #expect(spans.count == 1)
        #expect(spans[0].error == .none)
        let events = spans[0].detail?.events ?? []
        #expect(events.map { "\($0.name)" } == ["tacho.retry"])
        #expect(events.first.map { "\($0.attributes)" }?.contains("503") == true)
    }

    @Test func theLastAnswerIsTheClients() {
        let guarded = world()
        let session = client(guarded)
        session.client(keyed())
        var tries = 1
        var told = session.upstream(refusal())
        while told == "", tries < 20 {
            #expect(wait(session) == keyed())
            tries += 1
            told = session.upstream(tries.isMultiple(of: 2) ? nobody() : refusal())
        }
        #expect(told == (tries.isMultiple(of: 2) ? nobody() : refusal()))
        #expect((2...5).contains(tries))
        #expect(session.isIdle)
        #expect(retries(guarded, "retried") == Double(tries - 1))
        #expect(retries(guarded, "attempts") + retries(guarded, "deadline") == 1)
        #expect(guarded.tally("orders publish") == "\(tries) calls, \(tries) unavailable")
    }

    @Test func anOpenBreakerEndsIt() {
        let guarded = world()
        let session = client(guarded)
        session.client(keyed())
        session.upstream(nobody())
        guarded.open("orders publish")
        #expect(wait(session) == "")
        #expect(session.answered() == nobody())
        #expect(session.isIdle)
        #expect(retries(guarded, "breaker") == 1)
        // And nothing is kept from the client while it is open.
        let other = client(guarded)
        #expect(other.client(keyed(2)) == "")
        #expect(other.answered().contains("503 tacho: breaker orders publish is open"))
    }

    @Test func aFullBulkheadEndsIt() {
        let guarded = world(
            bulkhead: BulkheadPolicy(waitingMax: 1, waitNanoseconds: 50_000_000, perConnectionMax: 0))
        guarded.limit("orders publish", to: 1)
        let session = client(guarded)
        session.client(keyed())
        session.upstream(nobody())
        #expect(client(guarded).client(keyed(2)) == keyed(2))
        #expect(wait(session) == "")
        #expect(session.answered() == nobody())
        #expect(retries(guarded, "bulkhead") == 1)
    }

    @Test func anAnswerThatDoesNotComeIsAskedForOnceMore() {
        let guarded = world()
        let session = client(guarded)
        known(session)
        session.client(keyed())
        guarded.world.advance(milliseconds: 5_001)
        session.tick()
        session.tick()
        #expect(wait(session) == keyed())
        #expect(guarded.tally("orders publish") == "2 calls, 1 timeout, 1 in flight")
        // Whichever comes first; the other is not for the client.
        #expect(session.upstream(stored()) == stored())
        #expect(session.upstream(stored(duplicate: true) + "PING\r\n") == "PING\r\n")
        #expect(session.isIdle)
        guarded.world.advance(milliseconds: 20_000)
        session.tick()
        #expect(session.resumesAt == nil)
    }

    @Test func twiceUnansweredIsGivenUp() {
        let guarded = world()
        let session = client(guarded)
        known(session)
        session.client(keyed())
        guarded.world.advance(milliseconds: 5_001)
        session.tick()
        #expect(wait(session) == keyed())
        guarded.world.advance(milliseconds: 5_001)
        session.tick()
        session.tick()
        #expect(session.resumesAt == nil)
        #expect(retries(guarded, "attempts") == 1)
        // Both may be answered yet, and the client has asked once.
        #expect(session.upstream(stored()) == stored())
        #expect(session.upstream(stored(duplicate: true) + "PING\r\n") == "PING\r\n")
        #expect(session.isIdle)
    }

    @Test func anAnswerInTheMeantimeSparesTheRetry() {
        let guarded = world()
        let session = client(guarded)
        known(session)
        session.client(keyed())
        guarded.world.advance(milliseconds: 5_001)
        session.tick()
        #expect(session.resumesAt != nil)
        #expect(session.upstream(stored()) == stored())
        #expect(session.resumesAt == nil && session.isIdle)
    }

    @Test func ofUnknownFateOnlyWhatJetStreamStoresIsSentAgain() {
        let guarded = world()
        let session = client(guarded)
        session.client(keyed())
        guarded.world.advance(milliseconds: 5_001)
        session.tick()
        #expect(session.resumesAt == nil)
        #expect(retries(guarded, "unknown_fate") == 1)
        #expect(session.upstream(stored()) == stored())
    }

    @Test func whatExpectsSomethingOfTheStreamIsNotRepeatedBlindly() {
        let guarded = world()
        let session = client(guarded)
        known(session)
        let conditional = keyed(more: [("Nats-Expected-Last-Sequence", "0")])
        session.client(conditional)
        #expect(session.upstream(nobody()) == "")
        #expect(wait(session) == conditional)
        guarded.world.advance(milliseconds: 5_001)
        session.tick()
        #expect(retries(guarded, "unknown_fate") == 1)
        // No answer came to the second try, so the client gets that to the first.
        #expect(wait(session) == "")
        #expect(session.answered() == nobody())
        #expect(session.upstream(stored()) == "")
    }

    @Test func whoHasLeftItsInboxGetsNothing() {
        let session = client(world())
        session.client(keyed())
        session.upstream(nobody())
        session.client("UNSUB 1\r\n")
        #expect(wait(session) == "")
        #expect(session.answered() == "")
        #expect(session.resumesAt == nil)
    }

    @Test func aSubscriptionThatEndsWithItsAnswerGetsTheFirst() {
        let session = client(world())
        session.client("SUB _INBOX.own 7\r\nUNSUB 7 1\r\n")
        session.client(hpub("orders", [("Nats-Msg-Id", "k")], "x", reply: "_INBOX.own"))
        let answer = hmsg("_INBOX.own", "7", [], "", status: "503")
        #expect(session.upstream(answer) == answer)
    }

    @Test func aVerboseClientCountsItsAnswers() {
        let session = client(world(), verbose: true)
        session.client(keyed())
        #expect(session.upstream("+OK\r\n" + nobody()) == "+OK\r\n" + nobody())
    }

    @Test func whatFindsNoRoomIsSentOnce() {
        let guarded = world()
        let session = client(guarded)
        for number in 1...5 { #expect(session.client(keyed(number)) == keyed(number)) }
        #expect(session.upstream(nobody(5)) == nobody(5))
        #expect(retries(guarded, "no_room") == 1)
        #expect(session.upstream(nobody(4)) == "")
        #expect(session.upstream(stored(1)) == stored(1))
        let large = keyed(6, String(repeating: "v", count: 5_000))
        #expect(session.client(String(large.prefix(500))) == large.prefix(500))
        #expect(session.client(String(large.dropFirst(500))) == large.dropFirst(500))
        #expect(session.upstream(nobody(6)) == nobody(6))
        #expect(retries(guarded, "no_room") == 2)
    }

    @Test func aRetryDoesNotStandInTheMiddleOfAMessage() {
        let session = client(world())
        session.client(keyed())
        session.upstream(nobody())
        #expect(session.client("PUB other 4\r\nab") == "PUB other 4\r\nab")
        #expect(wait(session) == "")
        #expect(session.client("cd\r\nPING\r\n") == "cd\r\n" + keyed() + "PING\r\n")
        #expect(session.upstream(stored()) == stored())
    }

    @Test func norDoesAnAnswerThatIsGivenBack() {
        let guarded = world()
        let session = client(guarded)
        session.client(keyed())
        session.upstream(nobody())
        guarded.open("orders publish")
        #expect(session.upstream("MSG a 9 4\r\nab") == "MSG a 9 4\r\nab")
        #expect(wait(session) == "")
        #expect(session.answered() == "")
        #expect(session.upstream("cd\r\nPING\r\n") == "cd\r\n" + nobody() + "PING\r\n")
    }

    @Test func aClientThatFinishesGetsTheAnswerThatThereWas() {
        let session = client(world())
        session.client(keyed())
        session.upstream(nobody())
        #expect(session.clientFinished() == "")
        #expect(session.answered() == nobody())
        #expect(session.resumesAt == nil)
    }

    @Test func othersWhoListenToTheInboxMissNothing() {
        let session = client(world())
        session.client("SUB > 2\r\n")
        session.client(keyed())
        let copy = hmsg("_INBOX.abc.1", "2", [], "", status: "503")
        #expect(session.upstream(copy + nobody()) == copy)
        #expect(wait(session) == keyed())
        #expect(session.upstream(stored()) == stored())
    }

    @Test func whatWaitsForAPlaceIsKeptAsItWasLetGo() {
        let guarded = world(
            bulkhead: BulkheadPolicy(waitingMax: 1, waitNanoseconds: 50_000_000, perConnectionMax: 0))
        guarded.limit("orders publish", to: 1)
        let session = client(guarded)
        #expect(session.client(keyed(1) + keyed(2) + "PING\r\n") == keyed(1))
        #expect(session.isHolding)
        session.upstream(stored(1))
        #expect(session.forwardedLater() == keyed(2) + "PING\r\n")
        #expect(session.upstream(nobody(2)) == "")
        #expect(wait(session) == keyed(2))
    }

    @Test func theBudgetHoldsInAStorm() {
        let guarded = world(PublishRetryLimits(withinNanoseconds: 3_000_000_000, messagesMax: 1_000, bytesMax: 1 << 20))
        let session = client(guarded)
        for number in 1...500 {
            session.client(keyed(number))
            session.upstream(nobody(number))
        }
        // One a second for ten seconds, or a fifth of all calls.
        #expect((10...101).contains(retries(guarded, "retried")))
        #expect(retries(guarded, "budget") + retries(guarded, "tokens") == 500 - retries(guarded, "retried"))
    }

    @Test func everySplitIsTheSame() {
        let text = Array(("PING\r\n" + keyed(1, "body") + pub("other", "x") + keyed(2)).utf8)
        let answers = Array((nobody(1) + "PING\r\n" + refusal(2) + "PONG\r\n").utf8)
        for cut in 1..<text.count {
            let session = client(world())
            var forwarded = session.client(Array(text[..<cut]))
            forwarded += session.client(Array(text[cut...]))
            #expect(forwarded == text, "cut at \(cut)")
            for number in 1...2 { #expect(session.upstream(stored(number)) == stored(number)) }
        }
        for cut in 1..<answers.count {
            let session = client(world())
            _ = session.client(text)
            var told = session.upstream(Array(answers[..<cut]))
            told += session.upstream(Array(answers[cut...]))
            #expect(String(decoding: told, as: UTF8.self) == "PING\r\nPONG\r\n", "cut at \(cut)")
            let again = wait(session) + wait(session)
            #expect(again == keyed(1, "body") + keyed(2) || again == keyed(2) + keyed(1, "body"), "cut at \(cut)")
        }
    }
}
