import Pipeline
import Testing

/// Servers that tell the way of messages: 2.11 and newer, as captured from their documentation.
@Suite struct NATSPathTests {
    private func client(
        _ world: World, version: String = "2.11.3", connect: String = #"{"headers":true,"verbose":false}"#
    )
        -> (session: Conversation<NATSSession>, connected: String)
    {
        let session = world.connectNATS()
        session.upstream(#"INFO {"version":"\#(version)","headers":true,"max_payload":1048576}"# + "\r\n")
        return (session, session.client("CONNECT \(connect)\r\n"))
    }

    private var world: World { World(system: "nats", nats: NATSOptions(messagePath: true)) }

    @Test func theWayIsUnderTheSpanThatSent() throws {
        let world = world
        let (session, connected) = client(world)
        let words = connected.split(separator: "\r\n")[1].split(separator: " ").map(String.init)
        #expect(words.count == 3 && words[0] == "SUB" && words[1].hasPrefix("_INBOX.tacho."))
        let forwarded = session.client(pub("orders", "x"))
        #expect(forwarded.contains("Nats-Trace-Dest: \(words[1])\r\n"))
        let traceparent = try #require(addedHeaders(forwarded)).traceparent
        let told = #"""
            {"server":{"name":"east-1","id":"N1","ver":"2.11.3"},"request":{"header":{"traceparent":["\#(traceparent)"],\#
            "Nats-Trace-Dest":["x"]},"msgsize":150},"hops":1,"events":[{"type":"in","ts":"2023-11-14T22:13:20.001Z",\#
            "kind":0,"cid":5,"acc":"$G","subj":"orders"},{"type":"eg","ts":"2023-11-14T23:13:20.004+01:00","kind":0}]}
            """#
        let event = msg(words[1], words[2], told)
        #expect(session.upstream("PING\r\n" + event + "PING\r\n") == "PING\r\nPING\r\n")
        var passed = ""
        for byte in event.utf8 { passed += String(decoding: session.upstream([byte]), as: UTF8.self) }
        #expect(passed == "")
        #expect(
            world.spans() == [
                "producer publish orders t1/s1 body 1 conversation trace",
                "producer route orders t1/s2 under s1 link t1/s1 took 3ms",
                "producer route orders t1/s3 under s1 link t1/s1 took 3ms",
            ])
    }

    @Test func whatIsAddedForItIsStrippedToo() {
        let world = World(deliver: .strip, system: "nats", nats: NATSOptions(messagePath: true))
        let (session, _) = client(world)
        session.client("SUB orders 1\r\n")
        #expect(session.upstream(delivered(session.client(pub("orders", "x")), to: "1")) == msg("orders", "1", "x"))
    }

    @Test func whoHasAskedAlreadyIsLeftAlone() {
        let (session, _) = client(world)
        let forwarded = session.client(hpub("orders", [("Nats-Trace-Dest", "mine")], "x"))
        #expect(
            forwarded.split(separator: "\r\n").filter { $0.hasPrefix("Nats-Trace-Dest") } == ["Nats-Trace-Dest: mine"])
    }

    @Test(arguments: [("2.10.29", #"{"headers":true,"verbose":false}"#), ("2.11.0", #"{"headers":true}"#), ("", "{}")])
    func olderServersAndVerboseClientsAreNotAsked(version: String, connect: String) {
        let (session, connected) = client(world, version: version, connect: connect)
        #expect(!connected.contains("SUB"))
        #expect(!session.client(pub("orders", "x")).contains("Nats-Trace-Dest"))
    }

    @Test func aClientThatMayNotSubscribeDoesWithout() {
        let (session, connected) = client(world)
        let subject = connected.split(separator: " ")[2]
        let complaint = "-ERR 'Permissions Violation for Subscription to \"\(subject)\"'\r\n"
        #expect(session.upstream(complaint + "PING\r\n") == "PING\r\n")
        #expect(!session.client(pub("orders", "x")).contains("Nats-Trace-Dest"))
        #expect(session.upstream("-ERR 'Other'\r\n") == "-ERR 'Other'\r\n")
    }

    @Test func whatServersTellIsSwallowedHoweverLargeAndWhateverItIs() {
        let (session, connected) = client(world)
        let words = connected.split(separator: "\r\n")[1].split(separator: " ").map(String.init)
        for body in ["", "rubbish", #"{"events":[{]}"#, String(repeating: "x", count: 200_000)] {
            let event = msg(words[1], words[2], body)
            #expect(session.upstream(String(event.prefix(40))) + session.upstream(String(event.dropFirst(40))) == "")
        }
        #expect(session.opaque == nil)
        #expect(session.upstream("PONG\r\n") == "PONG\r\n")
    }
}
