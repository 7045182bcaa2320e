import Testing

@testable import EventGateway

@Suite("Waiting for something new")
struct StreamWaitersTests {
    private static let orders = Array("orders".utf8)
    private static let group = Array("billing".utf8)
    private static let long: Int64 = 60_000

    @Test func aChangeBeforeTheWaitIsNotMissed() async throws {
        let waiters = StreamWaiters(limit: 1)
        let ticket = try #require(waiters.enter(Self.orders))
        waiters.changed([Self.orders])
        #expect(await ticket.wait(milliseconds: Self.long))
        #expect(await ticket.wait(milliseconds: 1) == false)
        waiters.changed([Array("others".utf8)])
        #expect(await ticket.wait(milliseconds: 1) == false)
    }

    @Test func aChangeWakesWhoWaits() async throws {
        let waiters = StreamWaiters(limit: 1)
        let ticket = try #require(waiters.enter(Self.orders))
        async let isWoken = ticket.wait(milliseconds: Self.long)
        waiters.changed([Self.orders])
        #expect(await isWoken)
    }

    @Test func onlyTheFirstOfAGroupIsWokenAndTheNextWhenItLeaves() async throws {
        let waiters = StreamWaiters(limit: 3)
        let first = try #require(waiters.enter(Self.orders, group: Self.group))
        let second = try #require(waiters.enter(Self.orders, group: Self.group))
        let follower = try #require(waiters.enter(Self.orders))
        waiters.changed([Self.orders])
        #expect(await first.wait(milliseconds: Self.long))
        #expect(await follower.wait(milliseconds: Self.long))
        #expect(await second.wait(milliseconds: 1) == false)
        first.leave()
        #expect(await second.wait(milliseconds: Self.long))
    }

    @Test func noMoreThanTheLimit() throws {
        let waiters = StreamWaiters(limit: 1)
        let ticket = try #require(waiters.enter(Self.orders))
        #expect(waiters.enter(Self.orders) == nil)
        ticket.leave()
        ticket.leave()
        #expect(waiters.enter(Self.orders) != nil)
        #expect(waiters.enter(Self.orders) == nil)
    }
}
