import Pipeline
import Resilience
import Testing

/// What a guard refuses on NATS, and what guards hear of the rest.
@Suite struct NATSRefusalTests {
    private let inbox = "_INBOX.abc.1"
    private let reason = "tacho: breaker orders publish is open, try again in 1.5 s"

    private func client(_ guarded: GuardedWorld, connect: String = #"{"headers":true,"verbose":false}"#)
        -> Conversation<NATSSession>
    {
        let session = guarded.world.connectNATS()
        session.upstream(#"INFO {"headers":true,"max_payload":1048576}"# + "\r\n")
        session.client("CONNECT \(connect)\r\nSUB _INBOX.abc.* 1\r\n")
        return session
    }

    @Test func whoDoesNotWaitIsToldInTheFormThatClientsSurvive() {
        let guarded = GuardedWorld()
        let session = client(guarded)
        guarded.open("orders publish")
        #expect(session.client(pub("orders", "x") + "PING\r\n") == "PING\r\n")
        #expect(session.answered() == "-ERR 'Permissions Violation for Publish to \"orders\" (\(reason.spaced))'\r\n")
        #expect(session.client(pub("other", "x")) == pub("other", "x"))
        #expect(guarded.tally("orders publish") == "1 rejected")
    }

    @Test func whoWaitsIsAnsweredThatNobodyIsThere() {
        let guarded = GuardedWorld()
        let session = client(guarded)
        guarded.open("orders publish")
        #expect(session.client(pub("orders", "x", reply: inbox)) == "")
        #expect(session.answered() == hmsg(inbox, "1", [], "", status: "503 \(reason)"))
    }

    @Test func whereJetStreamHasAnsweredItsOwnFormIsUsed() {
        let guarded = GuardedWorld()
        let session = client(guarded, connect: "{}")
        session.client(pub("orders", "x", reply: inbox))
        session.upstream(msg(inbox, "1", #"{"stream":"S","seq":1}"#))
        guarded.open("orders publish")
        #expect(session.client(pub("orders", "x", reply: inbox)) == "")
        // Without a word in CONNECT a client is verbose, and waits for an OK besides.
        #expect(
            session.answered()
                == msg(inbox, "1", #"{"error":{"code":503,"err_code":0,"description":"\#(reason)"}}"#) + "+OK\r\n")
    }

    @Test func aRefusedMessageIsSwallowedHoweverItComes() {
        let guarded = GuardedWorld()
        let session = client(guarded)
        guarded.open("orders publish")
        let text = hpub("orders", [("A", "1")], String(repeating: "x", count: 500)) + "PING\r\n"
        var forwarded = ""
        for byte in text.utf8 { forwarded += String(decoding: session.client([byte]), as: UTF8.self) }
        #expect(forwarded == "PING\r\n")
        #expect(session.answered().hasPrefix("-ERR 'Permissions Violation"))
        #expect(session.client(pub("orders", "x") + pub("other", "y")) == pub("other", "y"))
    }

    @Test func ourAnswerWaitsForTheMessageThatIsOnItsWay() {
        let guarded = GuardedWorld()
        let session = client(guarded)
        guarded.open("orders publish")
        #expect(session.upstream("MSG a 9 4\r\nab") == "MSG a 9 4\r\nab")
        session.client(pub("orders", "x", reply: inbox))
        #expect(session.answered() == "")
        #expect(
            session.upstream("cd\r\nPING\r\n") == "cd\r\n" + hmsg(inbox, "1", [], "", status: "503 \(reason)")
                + "PING\r\n")
    }

    @Test func guardsHearOfAnswers() {
        let guarded = GuardedWorld()
        let session = client(guarded)
        func answer(_ text: String) {
            session.client(pub("orders", "x", reply: inbox))
            session.upstream(text)
        }
        answer(msg(inbox, "1", #"{"stream":"S","seq":1}"#))
        answer(msg(inbox, "1", #"{"error":{"code":400,"err_code":10071}}"#))
        answer(msg(inbox, "1", #"{"error":{"code":503,"err_code":10077}}"#))
        answer(hmsg(inbox, "1", [], "", status: "503"))
        #expect(guarded.tally("orders publish") == "4 calls, 2 unavailable, 1 mistakes")
        session.client(pub("orders", "x", reply: inbox))
        guarded.world.advance(milliseconds: 6_000)
        session.tick()
        session.tick()
        #expect(guarded.tally("orders publish") == "1 calls, 1 timeout")
        session.upstream(msg(inbox, "1", #"{"stream":"S","seq":1}"#))
        session.client(pub("orders", "x", reply: inbox))
        session.loseUpstream()
        session.client(pub("orders", "fire and forget"))
        #expect(guarded.tally("orders publish") == "1 calls, 1 connection")
    }
}

extension String {
    /// As an `-ERR` carries it: quotes are blanks there.
    fileprivate var spaced: String {
        replacing("breaker orders publish is", with: "breaker  orders publish  is")
    }
}
