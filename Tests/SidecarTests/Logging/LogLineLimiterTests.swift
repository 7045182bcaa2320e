import Testing

@testable import Sidecar

@Suite("Limiting log lines")
struct LogLineLimiterTests {
    private let second: UInt64 = 1_000_000_000

    @Test("a burst, then one line a second, each telling what was left out")
    func burstThenRate() {
        var limiter = LogLineLimiter<String>(linesPerSecond: 1, burst: 2)
        #expect(limiter.permits(kind: "a", now: 0) == .write(suppressedBefore: 0))
        #expect(limiter.permits(kind: "a", now: 0) == .write(suppressedBefore: 0))
        #expect(limiter.permits(kind: "a", now: 0) == .suppress)
        #expect(limiter.permits(kind: "a", now: second - 1) == .suppress)
        #expect(limiter.permits(kind: "a", now: second) == .write(suppressedBefore: 2))
        #expect(limiter.permits(kind: "a", now: second) == .suppress)
        #expect(limiter.permits(kind: "b", now: second) == .write(suppressedBefore: 0))
    }

    @Test("quiet saves up no more than a burst, and a clock that steps back gives nothing")
    func bounds() {
        var limiter = LogLineLimiter<String>(linesPerSecond: 10, burst: 1)
        #expect(limiter.permits(kind: "a", now: 5 * second) == .write(suppressedBefore: 0))
        #expect(limiter.permits(kind: "a", now: 1) == .suppress)
        #expect(limiter.permits(kind: "a", now: .max) == .write(suppressedBefore: 1))
        #expect(limiter.permits(kind: "a", now: .max) == .suppress)
    }

    @Test("kinds beyond the limit share one bucket")
    func manyKinds() {
        var limiter = LogLineLimiter<Int>(linesPerSecond: 1, burst: 1, kindsMaximum: 2)
        #expect(limiter.permits(kind: 1, now: 0) == .write(suppressedBefore: 0))
        #expect(limiter.permits(kind: 2, now: 0) == .write(suppressedBefore: 0))
        #expect(limiter.permits(kind: 3, now: 0) == .write(suppressedBefore: 0))
        #expect(limiter.permits(kind: 4, now: 0) == .suppress)
        #expect(limiter.permits(kind: 1, now: second) == .write(suppressedBefore: 0))
    }
}
