import Testing

@testable import EventGateway

@Suite("Events per second")
struct EventRateLimitTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func aBurstOfASecondThenTheRate() {
        let limit = EventRateLimit(perSecond: 10)
        #expect((0..<10).map { _ in limit.take(1, at: 5 * Self.second) } == Array(repeating: nil, count: 10))
        #expect(limit.take(1, at: 5 * Self.second) == 1)
        #expect(limit.take(1, at: 5 * Self.second + Self.second / 10) == nil)
        #expect(limit.take(10, at: 5 * Self.second + Self.second / 10) == 1)
    }

    @Test func aLargeBatchIsPaidForAfterwards() {
        let limit = EventRateLimit(perSecond: 10)
        #expect(limit.take(50, at: Self.second) == nil)
        #expect(limit.take(1, at: 2 * Self.second) == 4)
        #expect(limit.take(1, at: 6 * Self.second) == nil)
    }

    @Test func anEarlierReadingCountsAsNow() {
        let limit = EventRateLimit(perSecond: 1)
        #expect(limit.take(1, at: 9 * Self.second) == nil)
        #expect(limit.take(1, at: 8 * Self.second) == 1)
        #expect(limit.take(1, at: 10 * Self.second) == nil)
    }

    @Test func noLimit() {
        #expect(EventRateLimit(perSecond: 0).take(.max, at: 0) == nil)
    }
}
