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
            rule.delivered(1, now: now)
            verdicts.append(rule.judge(count: number.isMultiple(of: 2) ? 5 : 1, uncounted: 0, now: now))
        }
        let dead = verdicts.count { $0 == .deadLetter }
        #expect(verdicts.contains(.brake))
        #expect(dead <= 20 + 600 / 20, "\(dead)")
        // Ten minutes of good deliveries later a single one is no sign of anything.
        for number in 0..<6_000 {
            rule.delivered(1, now: (60 + UInt64(number) / 10) * Self.second)
        }
        #expect(rule.judge(count: 5, uncounted: 0, now: 700 * Self.second) == .deadLetter)
    }

    @Test("more uncounted deliveries than the broker counts at all are no reason to stop")
    func odd() {
        var rule = DeadLetterRule(deliveriesMax: 0)
        #expect(rule.judge(count: 0, uncounted: 7, now: 0) == .deliver)
        #expect(rule.judge(count: 1, uncounted: -3, now: 0) == .deadLetter)
    }

    @Test("a few dead letters of a quiet group are no sign of anything")
    func quiet() {
        var rule = DeadLetterRule()
        #expect((0..<5).allSatisfy { _ in rule.judge(count: 5, uncounted: 0, now: Self.second) == .deadLetter })
    }
}

/// What counts of the broker's counts.
@Suite struct DeliveryLedgerTests {
    @Test("deliveries between two looks do not count if a breaker was open in between")
    func between() {
        var ledger = DeliveryLedger<Int>(capacity: 10)
        #expect(ledger.look(at: 1, count: 2, lastLook: 0, now: 10) { _ in false } == 0)
        #expect(ledger.look(at: 1, count: 5, lastLook: 10, now: 20) { $0 <= 15 } == 3)
        #expect(ledger.look(at: 1, count: 7, lastLook: 20, now: 30) { $0 <= 15 } == 3)
        // A claim may set the count back.
        #expect(ledger.look(at: 1, count: 1, lastLook: 30, now: 40) { _ in false } == 1)
    }

    @Test("a message that shows itself during an outage has no counted delivery")
    func first() {
        var ledger = DeliveryLedger<Int>(capacity: 10)
        #expect(ledger.look(at: 1, count: 9, lastLook: 10, now: 20) { $0 <= 15 } == 9)
        #expect(ledger.look(at: 2, count: 9, lastLook: 10, now: 20) { $0 <= 5 } == 0)
    }

    @Test("what is acknowledged is forgotten, and beyond the capacity nothing is remembered")
    func bounds() {
        var ledger = DeliveryLedger<Int>(capacity: 2)
        for id in 0..<3 { _ = ledger.look(at: id, count: 1, lastLook: 0, now: 10) { _ in true } }
        #expect(ledger.count == 2)
        _ = ledger.look(at: 0, count: 1, lastLook: 10, now: 20) { _ in false }
        ledger.forget(notSeenSince: 20)
        #expect(ledger.count == 1)
    }
}
