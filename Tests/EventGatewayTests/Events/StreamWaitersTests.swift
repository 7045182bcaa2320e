import Testing

@testable import EventGateway

@Suite("Waiting for something new")
struct StreamWaitersTests {
    private static let orders = Array("orders".utf8)
    private static let group = Array("billing".utf8)
    private static let long: Int64 = 60_000
    private let changes = StreamChanges()

    @Test func aChangeBeforeTheWaitIsNotMissed() async throws {
        let ticket = try #require(StreamWaiters(changes, limit: 1).enter(Self.orders))
        changes.changed([Self.orders])
        #expect(await ticket.wait(milliseconds: Self.long))
        #expect(await ticket.wait(milliseconds: 1) == false)
        changes.changed([Array("others".utf8)])
        #expect(await ticket.wait(milliseconds: 1) == false)
    }

    @Test func aChangeWakesWhoWaits() async throws {
        let ticket = try #require(StreamWaiters(changes, limit: 1).enter(Self.orders))
        async let isWoken = ticket.wait(milliseconds: Self.long)
        changes.changed([Self.orders])
        #expect(await isWoken)
    }

    @Test func onlyTheFirstOfAGroupIsWokenAndTheNextWhenItLeaves() async throws {
        let waiters = StreamWaiters(changes, limit: 3)
        var first = waiters.enter(Self.orders, group: Self.group)
        let second = try #require(waiters.enter(Self.orders, group: Self.group))
        let follower = try #require(waiters.enter(Self.orders))
        changes.changed([Self.orders])
        #expect(await first?.wait(milliseconds: Self.long) == true)
        #expect(await follower.wait(milliseconds: Self.long))
        #expect(await second.wait(milliseconds: 1) == false)
        first = nil
        #expect(await second.wait(milliseconds: Self.long))
    }

    @Test func noMoreThanTheLimit() throws {
        let waiters = StreamWaiters(changes, limit: 1)
        var ticket = waiters.enter(Self.orders)
        #expect(ticket != nil)
        #expect(waiters.enter(Self.orders) == nil)
        ticket = nil
        #expect(waiters.enter(Self.orders) != nil)
        // That one is kept by nobody.
        #expect(waiters.enter(Self.orders) != nil)
    }
}
