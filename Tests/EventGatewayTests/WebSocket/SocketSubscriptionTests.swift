import Gateway
import HTTPTypes
import Testing
import Wire

@testable import EventGateway
@testable import EventLog

@Suite("Sockets: subscriptions")
struct SocketSubscriptionTests {
    /// A world with one open subscription, number 1.
    private func following(_ data: String, from next: Int64 = 1, _ limits: SocketLimits = SocketLimits()) -> SocketWorld
    {
        var world = SocketWorld(limits)
        #expect(world.ask("subscribe", data) == ["open 1"])
        _ = world.machine.opened(serial: 1, .success(.follow(nextOffset: next, lastOffset: 99)))
        return world
    }

    private func grouped(_ credit: Int, filter: String = "", _ limits: SocketLimits = SocketLimits()) -> SocketWorld {
        var world = SocketWorld(limits)
        #expect(world.ask("subscribe", #"{"group":"g","consumer":"c","credit":\#(credit)\#(filter)}"#) == ["open 1"])
        _ = world.machine.opened(serial: 1, .success(.group))
        return world
    }

    @Test("nothing is read without credit, and no more than the credit")
    func credit() {
        var world = SocketWorld()
        #expect(world.ask("subscribe", #"{"from":"first"}"#) == ["open 1"])
        #expect(
            world.lines(world.machine.opened(serial: 1, .success(.follow(nextOffset: 1, lastOffset: 20))))
                == [#"-> subscribed {"request":"r1","subscription":"default","next_offset":1,"last_offset":20}"#])
        #expect(world.ask("credit", #"{"events":3}"#) == ["fetch 1 from 1, 3"])
        #expect(
            world.lines(world.machine.fetched(serial: 1, asked: 3, .success(world.stored(1...3))))
                == ["-> default 1", "-> default 2", "-> default 3"])
        #expect(world.lines(world.machine.changed()) == [])
        #expect(world.ask("credit", #"{"events":2}"#) == ["fetch 1 from 4, 2"])
        // Credit that comes meanwhile counts when the look is over.
        #expect(world.ask("credit", #"{"events":1}"#) == [])
        #expect(
            world.lines(world.machine.fetched(serial: 1, asked: 2, .success(world.stored(4...5))))
                == ["-> default 4", "-> default 5", "fetch 1 from 6, 1"])
    }

    @Test("at the end of the stream it waits for a change, also for one during the look")
    func waiting() {
        var world = following(#"{"from":"first","credit":100}"#)
        #expect(world.lines(world.machine.fetched(serial: 1, asked: 8, .success(.stored([])))) == [])
        #expect(world.lines(world.machine.changed()) == ["fetch 1 from 1, 8"])
        #expect(world.lines(world.machine.changed()) == [])
        #expect(
            world.lines(world.machine.fetched(serial: 1, asked: 8, .success(world.stored(1...1))))
                == ["-> default 1", "fetch 1 from 2, 64"])
    }

    @Test("it goes on at the offset that the client had")
    func resuming() {
        var world = following(#"{"from":41,"credit":5}"#, from: 41)
        #expect(
            world.lines(world.machine.fetched(serial: 1, asked: 5, .success(world.stored(41...42))))
                == ["-> default 41", "-> default 42"])
    }

    @Test("a filter passes over events without spending credit, and stops where the credit ends")
    func filtering() {
        var world = following(#"{"from":"first","credit":2,"filter":{"exact":{"type":"even"}}}"#)
        #expect(
            world.lines(world.machine.fetched(serial: 1, asked: 8, .success(world.stored(1...8))))
                == ["-> default 2", "-> default 4"])
        // 5 is passed over, 6 waits for credit.
        #expect(world.ask("credit", #"{"events":1}"#) == ["fetch 1 from 6, 64"])
    }

    @Test("a page has as many events as its bytes permit")
    func pages() {
        var limits = SocketLimits()
        limits.pageBytes = 100
        var world = following(#"{"from":"first","credit":1000}"#, limits)
        let fetch = world.lines(world.machine.fetched(serial: 1, asked: 8, .success(world.stored(1...8)))).last
        // An event has 20 bytes or so.
        #expect(fetch == "fetch 1 from 9, 5")
    }

    @Test("a group's events are acknowledged, given back and kept longer")
    func settling() {
        var world = grouped(10)
        #expect(
            world.lines(world.machine.fetched(serial: 1, asked: 8, .success(world.leased(1...4, nextDue: 500))))
                == ["-> default 1", "-> default 2", "-> default 3", "-> default 4", "wake 1 at 500"])
        #expect(world.ask("ack", #"{"ids":["1-0","2-0"]}"#) == ["ack 2 g: 1 2"])
        #expect(world.ask("nack", #"{"ids":["3-0"],"delay_milliseconds":50,"reason":"no"}"#) == ["nack(50) 3 g: 3"])
        #expect(world.ask("extend", #"{"ids":["4-0"],"lease_milliseconds":9000}"#) == ["extend(9000) 4 g: 4"])
        #expect(
            world.lines(world.machine.settled(token: 2, .success(2)))
                == [#"-> settled {"request":"r2","count":2}"#])
        #expect(world.lines(world.machine.woke(serial: 1)) == ["fetch 1 g/c, 6"])
        #expect(world.lines(world.machine.lost()) == ["nack(0) - g: 4"])
        // What the look still brings goes back as well.
        #expect(
            world.lines(world.machine.fetched(serial: 1, asked: 6, .success(world.leased(5...5))))
                == ["nack(0) - g: 5", "forget 1"])
    }

    @Test("what a group's filter leaves out is acknowledged for it")
    func filteredGroup() {
        var world = grouped(3, filter: #","filter":{"exact":{"type":"even"}}"#)
        #expect(
            world.lines(world.machine.fetched(serial: 1, asked: 3, .success(world.leased(1...3))))
                == ["-> default 2", "ack - g: 1 3", "fetch 1 g/c, 2"])
        #expect(world.lines(world.machine.lost()) == ["nack(0) - g: 2"])
    }

    @Test("a client gets no more than it may have without acknowledging")
    func inHand() {
        var limits = SocketLimits()
        limits.inHandMax = 2
        var world = grouped(10, limits)
        #expect(
            world.lines(world.machine.fetched(serial: 1, asked: 2, .success(world.leased(1...2))))
                == ["-> default 1", "-> default 2"])
        #expect(world.lines(world.machine.changed()) == [])
        #expect(world.ask("ack", #"{"ids":["1-0"]}"#) == ["ack 2 g: 1", "fetch 1 g/c, 1"])
    }

    @Test("nothing is read for a client that does not read")
    func backPressure() {
        var world = following(#"{"from":"first","credit":100}"#)
        #expect(world.lines(world.machine.writable(false, now: 5)) == ["do not read"])
        #expect(world.machine.fetched(serial: 1, asked: 8, .success(world.stored(1...8))).count == 8)
        #expect(world.machine.changed().isEmpty)
        #expect(world.lines(world.machine.writable(true, now: 6)) == ["read", "fetch 1 from 9, 64"])
    }

    @Test("subscriptions have names of their own, and a limit")
    func names() {
        var limits = SocketLimits()
        limits.subscriptionsMax = 2
        var world = SocketWorld(limits)
        #expect(world.ask("subscribe", #"{"subscription":"a"}"#) == ["open 1"])
        #expect(world.ask("subscribe", #"{"subscription":"a"}"#)[0].contains(#""status":409"#))
        #expect(world.ask("subscribe", #"{"subscription":"b"}"#) == ["open 2"])
        #expect(world.ask("subscribe", #"{"subscription":"c"}"#)[0].contains(#""status":429"#))
        #expect(
            world.lines(world.machine.opened(serial: 2, .failure(.notFound("no such group"))))
                == [
                    "forget 2",
                    #"-> refused {"request":"r3","status":404,"title":"Not Found","detail":"no such group"}"#,
                ])
        #expect(world.ask("subscribe", #"{"subscription":"c"}"#) == ["open 3"])
    }

    @Test("a subscription that is ended gives back what the client holds; its name is free at once")
    func unsubscribing() {
        var world = grouped(10)
        _ = world.machine.fetched(serial: 1, asked: 8, .success(world.leased(1...8)))
        // A look is under way: it ends when that is over.
        #expect(world.ask("unsubscribe", "{}") == [])
        #expect(world.ask("subscribe", #"{"group":"g","consumer":"c","credit":1}"#) == ["open 2"])
        #expect(
            world.lines(world.machine.fetched(serial: 1, asked: 2, .success(world.leased(9...10))))
                == [
                    "nack(0) - g: 1 2 3 4 5 6 7 8 9 10", "forget 1",
                    #"-> unsubscribed {"request":"r2","subscription":"default"}"#,
                ])
        _ = world.machine.opened(serial: 2, .success(.group))
        #expect(
            world.lines(world.machine.fetched(serial: 2, asked: 1, .failure(.notFound("the group is gone"))))
                == [
                    "forget 2",
                    #"-> ended {"subscription":"default","status":404,"title":"Not Found","detail":"the group is gone"}"#,
                ])
    }

    @Test("credit adds up to a limit")
    func creditLimit() {
        var world = following(#"{"from":"first","credit":1000000}"#)
        #expect(world.ask("credit", #"{"events":1}"#)[0].contains("credit adds up to at most"))
    }
}
