import Pipeline
import Testing

/// Request and reply as one conversation.
@Suite struct NATSRequestTests {
    private let inbox = "_INBOX.abc.1"

    private func client(_ world: World) -> Conversation<NATSSession> {
        let session = world.natsClient()
        session.client("SUB _INBOX.abc.* 1\r\n")
        return session
    }

    @Test func theRequestLastsUntilTheReplyAndTheWorkIsUnderIt() {
        let world = World(system: "nats")
        let requester = client(world)
        let responder = world.natsClient()
        responder.client("SUB svc.* workers 9\r\n")
        let forwarded = requester.client(pub("svc.echo", "hi", reply: inbox))
        world.advance(milliseconds: 1)
        responder.upstream(delivered(forwarded, to: "9"))
        #expect(world.deliveries.count == 1)
        world.advance(milliseconds: 20)
        // The answer belongs to the request's trace already: it passes as it is.
        #expect(responder.client(pub(inbox, "re: hi")) == pub(inbox, "re: hi"))
        world.advance(milliseconds: 1)
        #expect(requester.upstream(msg(inbox, "1", "re: hi")) == msg(inbox, "1", "re: hi"))
        #expect(
            world.spans() == [
                "consumer process svc.* t1/s1 under s2 link t1/s2 channel svc.echo group workers body 2 "
                    + "conversation trace took 20ms",
                "client request svc.echo t1/s2 body 2 conversation trace took 22ms",
            ])
        #expect(world.deliveries.count == 0)
        #expect(!world.exposition().contains("_INBOX"))
        #expect(world.metric("messaging_process_duration_seconds_count") == 1)
        #expect(requester.isIdle && responder.isIdle)
    }

    @Test func whatTheWorkPublishesIsUnderIt() throws {
        let world = World(system: "nats")
        world.know(Context.sampled, as: "app")
        let responder = world.natsClient()
        responder.client("SUB svc 9\r\n")
        responder.upstream(hmsg("svc", "9", [("traceparent", Context.sampled)], "x", reply: inbox))
        let further = responder.client(pub("audit", "y"))
        #expect(try #require(addedHeaders(further)).traceparent.contains("0af7651916cd43dd8448eb211c80319c"))
        responder.client(pub(inbox, "done"))
        #expect(
            world.spans() == [
                "producer publish audit app/s1 under s2 link app/s2 body 1 conversation trace",
                "consumer process svc app/s2 under app link app/app body 1",
            ])
    }

    @Test func nobodyThereIsAnError() {
        let world = World(system: "nats")
        let requester = client(world)
        requester.client(pub("svc.nobody", "", reply: inbox))
        let answer = hmsg(inbox, "1", [], "", status: "503")
        #expect(requester.upstream(answer) == answer)
        #expect(world.spans() == ["client request svc.nobody t1/s1 body 0 conversation trace error 503"])
        #expect(world.metric("messaging_client_operation_duration_seconds_count", "error_type=\"503\"") == 1)
    }

    @Test func aRequestThatIsNotPermittedEndsWithTheServersComplaint() {
        let world = World(system: "nats")
        let requester = client(world)
        requester.client(pub("secret", "", reply: inbox))
        let complaint = "-ERR 'Permissions Violation for Publish to \"secret\"'\r\n"
        #expect(requester.upstream(complaint) == complaint)
        #expect(world.spans().first?.hasSuffix("error permissions_violation") == true)
        #expect(requester.isIdle)
    }

    @Test func aRequestWithoutAnAnswerEndsInTheEnd() {
        let world = World(unsettledSeconds: 5, system: "nats")
        let requester = client(world)
        requester.client(pub("svc", "x", reply: inbox))
        world.advance(milliseconds: 4_000)
        requester.tick()
        #expect(world.spans() == [])
        world.advance(milliseconds: 2_000)
        requester.tick()
        #expect(world.spans() == ["producer publish svc t1/s1 body 1 conversation trace unsettled took 6000ms"])
        #expect(requester.isIdle)
    }

    @Test func aReplySubjectThatTheClientDoesNotListenToIsNotWaitedFor() {
        let world = World(system: "nats")
        let requester = world.natsClient()
        requester.client(pub("svc", "x", reply: "somewhere"))
        #expect(world.spans() == ["producer publish svc t1/s1 body 1 conversation trace"])
        #expect(requester.isIdle)
    }

    @Test func aLostConnectionEndsTheRequest() {
        let world = World(system: "nats")
        let requester = client(world)
        requester.client(pub("svc", "x", reply: inbox))
        requester.close()
        #expect(
            world.spans() == [
                "producer publish svc t1/s1 body 1 conversation trace error connection_lost disconnected"
            ])
    }

    @Test func whoNeverAnswersIsTakenForAListener() {
        let world = World(system: "nats")
        let listener = world.natsClient()
        listener.client("SUB events 1\r\n")
        for number in 0..<300 { listener.upstream(msg("events", "1", "x", reply: "_INBOX.z.\(number)")) }
        #expect(world.deliveries.count == 256)
        #expect(world.spans().count == 44)
    }

    @Test func aLongAnswerIsNotHeld() {
        let world = World(frameBytesMax: 200, system: "nats")
        let requester = client(world)
        requester.client(pub("svc", "x", reply: inbox))
        let head = requester.upstream("MSG \(inbox) 1 300000\r\nxxx")
        #expect(head == "MSG \(inbox) 1 300000\r\nxxx")
        #expect(world.spans() == ["client request svc t1/s1 body 1 conversation trace"])
    }
}
