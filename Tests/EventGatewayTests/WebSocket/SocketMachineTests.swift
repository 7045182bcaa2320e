import Gateway
import HTTPTypes
import Testing
import Wire

@testable import EventGateway
@testable import EventLog

@Suite("Sockets: publishing, heartbeats and the end")
struct SocketMachineTests {
    @Test("an event is published, and its place is told when it is on disk")
    func publishing() {
        var world = SocketWorld()
        #expect(world.publish("a") == ["publish 1 a"])
        #expect(world.publish("b") == ["publish 2 b"])
        let receipt = AppendedEvent(id: StreamID(7, 0), offset: 3, isDuplicate: false)
        #expect(
            world.lines(world.machine.published(token: 2, .success(receipt)))
                == [#"-> published {"request":"b","id":"7-0","offset":3,"duplicate":false}"#])
        let full = GatewayProblem(status: .tooManyRequests, detail: "saturated", retryAfterSeconds: 1)
        #expect(
            world.lines(world.machine.published(token: 1, .failure(full)))
                == [
                    #"-> refused {"request":"a","status":429,"title":"Too Many Requests","detail":"saturated","retry_after_seconds":1}"#
                ])
        #expect(world.machine.published(token: 1, .success(receipt)).isEmpty)
    }

    @Test("while too many requests wait for the disk, nothing is read")
    func requestsInFlight() {
        var limits = SocketLimits()
        limits.requestsMax = 2
        var world = SocketWorld(limits)
        #expect(world.publish("a") == ["publish 1 a"])
        #expect(world.publish("b") == ["publish 2 b", "do not read"])
        // What was read before the socket stopped is taken all the same.
        #expect(world.publish("c") == ["publish 3 c"])
        let receipt = AppendedEvent(id: StreamID(7, 0), offset: 1, isDuplicate: true)
        #expect(world.machine.published(token: 1, .success(receipt)).count == 1)
        #expect(world.lines(world.machine.published(token: 2, .success(receipt))).last == "read")
        limits.requestBytesMax = 200
        world = SocketWorld(limits)
        #expect(world.publish("a", data: "\"\(String(repeating: "x", count: 300))\"").last == "do not read")
    }

    @Test(
        "what is no CloudEvent in JSON ends the socket with 1007",
        arguments: [
            "", "x", "[]", "{}", #"{"specversion":"0.3","id":"1","source":"/","type":"t"}"#,
            #"{"specversion":"1.0","id":"","source":"/","type":"t"}"#,
        ])
    func malformed(text: String) {
        var world = SocketWorld()
        let lines = world.receive(text)
        #expect(lines.count == 1 && lines[0].hasPrefix("close 1007 "))
        #expect(world.publish("a") == [])
    }

    @Test(
        "a message for the socket that is not understood is refused, with what was expected",
        arguments: [
            ("shout", "{}", "type: after tacho.socket. expected"), ("subscribe", "[]", "data: expected a JSON object"),
            ("subscribe", #"{"grup":"g"}"#, "data: expected no members but"),
            ("subscribe", #"{"group":"g"}"#, "consumer: with a group"),
            ("subscribe", #"{"consumer":"c"}"#, "consumer and lease_milliseconds go with a group"),
            ("subscribe", #"{"from":"yesterday"}"#, "from: expected"), ("subscribe", #"{"from":0}"#, "from: expected"),
            ("subscribe", #"{"group":"g","consumer":"c","from":3}"#, "from: a group begins"),
            ("subscribe", #"{"filter":{"sql":"x"}}"#, "filter: unknown filter dialect"),
            ("subscribe", #"{"credit":-1}"#, "credit: expected a whole number from 0"),
            ("credit", "{}", "events: expected a whole number from 1"),
            ("credit", #"{"events":5}"#, "subscription: there is none"),
            ("unsubscribe", "{}", "subscription: there is none"),
            ("ack", #"{"ids":[]}"#, "ids: expected an array"), ("ack", #"{"ids":["7"]}"#, "ids: expected ids"),
            ("ack", #"{"ids":["7-0"]}"#, "subscription: there is none"),
            ("nack", #"{"ids":["7-0"],"final":1}"#, "final: expected true or false"),
            ("extend", #"{"ids":["7-0"]}"#, "lease_milliseconds: expected"),
        ])
    func refused(word: String, data: String, expected: String) {
        var world = SocketWorld()
        let lines = world.ask(word, data)
        #expect(lines.count == 1 && lines[0].hasPrefix(#"-> refused {"request":"r1","status":4"#))
        #expect(lines[0].contains(#""detail":"\#(expected)"#), "\(lines)")
    }

    @Test("a silent client is asked, and given up when it does not answer")
    func heartbeats() {
        var world = SocketWorld()
        #expect(world.machine.tick(now: 19_999).isEmpty)
        #expect(world.machine.tick(now: 20_000) == [.ping])
        #expect(world.machine.tick(now: 20_500).isEmpty)
        world.machine.heard(now: 21_000)
        #expect(world.machine.tick(now: 40_000).isEmpty)
        #expect(world.machine.tick(now: 41_000) == [.ping])
        #expect(world.lines(world.machine.tick(now: 61_000)) == ["close 1008 no answer to pings"])
        #expect(world.machine.tick(now: 99_000).isEmpty)
    }

    @Test("a client that does not read is slowed, and dropped when it goes on like that")
    func slowConsumer() {
        var world = SocketWorld()
        #expect(world.lines(world.machine.writable(false, now: 1_000)) == ["do not read"])
        #expect(world.machine.tick(now: 30_999).isEmpty)
        #expect(world.lines(world.machine.writable(true, now: 30_999)) == ["read"])
        #expect(world.lines(world.machine.writable(false, now: 31_500)) == ["do not read"])
        #expect(world.machine.writable(false, now: 50_000).isEmpty)
        #expect(world.machine.tick(now: 61_000).isEmpty)
        #expect(
            world.lines(world.machine.tick(now: 61_500))
                == ["close 1008 slow consumer: nothing was read for 30 s while events waited"])
    }

    @Test("the server's stop, the client's goodbye and foul play end it once")
    func ending() {
        var world = SocketWorld()
        #expect(world.lines(world.machine.draining()) == ["close 1001 the server is stopping"])
        #expect(world.machine.draining().isEmpty && world.machine.peerClosed().isEmpty)
        world = SocketWorld()
        #expect(world.lines(world.machine.peerClosed()) == ["close 1000 "])
        world = SocketWorld()
        #expect(
            world.lines(world.machine.violated(.tooLarge, "a message has at most 9 bytes"))
                == ["close 1009 a message has at most 9 bytes"])
        #expect(world.machine.violated(.tooLarge, "again").isEmpty)
    }
}
