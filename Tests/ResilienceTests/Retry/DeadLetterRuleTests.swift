import Testing

@testable import Resilience

/// Which messages are dead, and when it is rather the consumer.
@Suite struct DeadLetterRuleTests {
    static let second: UInt64 = 1_000_000_000

    @Test("the fifth delivery by the broker's count is the last")
    func fifth() {
        var rule = DeadLetterRule()
        #expect((1...4).allSatisfy { rule.judge(count: $0, uncounted: 0, now: Self.second) == .deliver })
        #expect(rule.judge(count: 5, uncounted: 0, now: Self.second) == .deadLetter)
    }

    @Test("deliveries while the breaker was not closed do not count: an outage empties nothing into the dead letters")
    func outage() {
        var rule = DeadLetterRule()
        #expect(rule.judge(count: 800, uncounted: 798, now: Self.second) == .deliver)
        #expect(rule.judge(count: 803, uncounted: 798, now: Self.second) == .deadLetter)
    }

    @Test("poison is dead at once")
    func poison() {
        var rule = DeadLetterRule()
        #expect(rule.judge(count: 1, uncounted: 0, isPoison: true, now: Self.second) == .deadLetter)
    }

    @Test("when more than one in twenty would be dead, nothing is moved any more, until it is better")
    func brake() {
        var rule = DeadLetterRule()
        var verdicts: [DeadLetterRule.Verdict] = []
        for number in 0..<600 {
            let now = UInt64(number) * Self.second / 10
            verdicts.append(rule.judge(count: number.isMultiple(of: 2) ? 5 : 1, uncounted: 0, now: now))
        }
        let dead = verdicts.count { $0 == .deadLetter }
        #expect(verdicts.contains(.brake))
        #expect(dead <= 20 + 600 / 20, "\(dead)")
        // Ten minutes of good deliveries later a single one is no sign of anything.
        for number in 0..<6_000 {
            _ = rule.judge(count: 1, uncounted: 0, now: (60 + UInt64(number) / 10) * Self.second)
        }
        #expect(rule.judge(count: 5, uncounted: 0, now: 700 * Self.second) == .deadLetter)
    }

    @Test("more uncounted deliveries than the broker counts at all are no reason to stop")
    func odd() {
        var rule = DeadLetterRule(deliveriesMax: 0)
        #expect(rule.judge(count: 0, uncounted: 7, now: 0) == .deliver)
        #expect(rule.judge(count: 1, uncounted: -3, now: 0) == .deadLetter)
    }
}
