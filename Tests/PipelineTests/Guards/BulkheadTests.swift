import Pipeline
import Testing

/// Commands that wait for a place among those under way, and everything behind them with them.
@Suite struct BulkheadTests {
    private let add = command("XADD", "orders", "*", "k", "1")
    private let get = command("GET", "a")

    private func world(waitingMax: Int = 10, perConnectionMax: Int = 0) -> GuardedWorld {
        let guarded = GuardedWorld(
            frameBytesMax: 1_024,
            bulkhead: BulkheadPolicy(
                waitingMax: waitingMax, waitNanoseconds: 50_000_000, perConnectionMax: perConnectionMax))
        guarded.limit("orders publish", to: 1)
        return guarded
    }

    private let full = "-TACHO bulkhead 'orders publish' is full, try again soon\r\n"

    @Test func theSecondWaitsForTheReplyToTheFirst() {
        let guarded = world()
        let session = guarded.connect()
        #expect(session.client(add + add + get) == add)
        #expect(session.isHolding)
        #expect(!session.isIdle)
        #expect(guarded.cell("orders publish").waitingCount == 1)
        #expect(session.upstream(bulk("1-0")) == bulk("1-0"))
        #expect(session.forwardedLater() == add + get)
        #expect(!session.isHolding)
        #expect(guarded.cell("orders publish").waitingCount == 0)
        #expect(session.upstream(bulk("1-1") + bulk("x")) == bulk("1-1") + bulk("x"))
        #expect(session.isIdle)
    }

    @Test func whatArrivesMeanwhileWaitsToo() {
        let guarded = world()
        let session = guarded.connect()
        #expect(session.client(add + add) == add)
        #expect(session.client(get) == "")
        #expect(session.client(String(get.prefix(5))) == "")
        session.upstream(bulk("1-0"))
        #expect(session.forwardedLater() == add + get)
        #expect(session.client(String(get.dropFirst(5))) == get)
    }

    @Test func whoWaitsTooLongIsRefusedInOrder() {
        let guarded = world()
        let other = guarded.connect()
        #expect(other.client(add) == add)
        let session = guarded.connect()
        #expect(session.client(get + add + get) == get)
        guarded.world.advance(milliseconds: 49)
        session.resume()
        #expect(session.isHolding)
        #expect(session.forwardedLater() == "")
        guarded.world.advance(milliseconds: 1)
        session.resume()
        #expect(!session.isHolding)
        #expect(session.forwardedLater() == get)
        #expect(session.upstream(bulk("x")) == bulk("x") + full)
        #expect(session.upstream(bulk("y")) == bulk("y"))
        #expect(guarded.cell("orders publish").turnedAwayCount == 1)
        #expect(guarded.cell("orders publish").waitingCount == 0)
    }

    @Test func aPlaceThatBecomesFreeElsewhereIsFoundByLookingAgain() {
        let guarded = world()
        let other = guarded.connect()
        other.client(add)
        let session = guarded.connect()
        #expect(session.client(add) == "")
        other.upstream(bulk("1-0"))
        guarded.world.advance(milliseconds: 2)
        session.resume()
        #expect(session.forwardedLater() == add)
        #expect(guarded.tally("orders publish") == "1 calls, 1 in flight")
    }

    @Test func onlySoManyMayWait() {
        let guarded = world(waitingMax: 1)
        let sessions = (0..<3).map { _ in guarded.connect() }
        #expect(sessions.map { $0.client(add) } == [add, "", ""])
        #expect(sessions.map(\.isHolding) == [false, true, false])
        #expect(sessions[2].answered() == full)
    }

    @Test func aClientThatLeavesDoesNotTakeItsCommandsBack() {
        let guarded = world()
        let session = guarded.connect()
        #expect(session.client(add + add + get) == add)
        #expect(session.clientFinished() == add + get)
        #expect(!session.isHolding)
        #expect(guarded.cell("orders publish").waitingCount == 0)
    }

    @Test func aSessionThatEndsFreesItsPlaces() {
        let guarded = world()
        let session = guarded.connect()
        session.client(add + add)
        session.close()
        let next = guarded.connect()
        #expect(next.client(add) == add)
        #expect(guarded.cell("orders publish").waitingCount == 0)
    }

    @Test func aLargeFrameDoesNotWait() {
        let guarded = world()
        let session = guarded.connect()
        let large = command("XADD", "orders", "*", "k", String(repeating: "v", count: 5_000))
        #expect(session.client(add + String(large.prefix(1_100))) == add)
        #expect(session.client(String(large.dropFirst(1_100)) + get) == get)
        #expect(session.upstream(bulk("1-0")) == bulk("1-0") + full)
    }

    @Test func aConnectionHasSoManyCommandsUnderWay() {
        let guarded = world(perConnectionMax: 2)
        guarded.limit("orders publish", to: nil)
        let session = guarded.connect()
        #expect(session.client(get + get + add + get) == get + get)
        #expect(session.isHolding)
        #expect(session.upstream(bulk("x")) == bulk("x"))
        #expect(session.forwardedLater() == add + get)
    }

    @Test func theBreakerStillSpeaksFirst() {
        let guarded = world()
        let session = guarded.connect()
        #expect(session.client(add + add) == add)
        guarded.open("orders publish")
        guarded.world.advance(milliseconds: 2)
        session.resume()
        #expect(!session.isHolding)
        #expect(session.upstream(bulk("1-0")) == bulk("1-0") + refused("orders publish", "1.4"))
        #expect(session.isIdle)
    }

    @Test func everySplitIsTheSame() {
        let text = Array((get + add + "XADD orders * k 1\r\n" + get + add).utf8)
        for cut in 1..<text.count {
            let guarded = world()
            let session = guarded.connect()
            var forwarded = String(decoding: session.client(Array(text[..<cut])), as: UTF8.self)
            forwarded += String(decoding: session.client(Array(text[cut...])), as: UTF8.self)
            let replies = [bulk("x"), bulk("1-0"), bulk("1-1"), bulk("y"), bulk("1-2")]
            var told = ""
            for reply in replies {
                told += session.upstream(reply)
                forwarded += session.forwardedLater()
            }
            #expect(forwarded == String(decoding: text, as: UTF8.self), "cut at \(cut)")
            #expect(told == replies.joined(), "cut at \(cut)")
            #expect(session.isIdle)
        }
    }

    @Test func anUpstreamThatIsNotUnderstoodGetsWhatWasHeld() {
        let guarded = world()
        let session = guarded.connect()
        #expect(session.client(add + add + get) == add)
        #expect(session.upstream("?what\r\n") == "?what\r\n")
        #expect(session.forwardedLater() == add + get)
        #expect(!session.isHolding)
        #expect(session.client(get) == get)
    }
}
