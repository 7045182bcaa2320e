import TestSupport
import Testing

@testable import Resilience

/// When a failed call is tried again, and at what price.
@Suite struct RetryPolicyTests {
    static let second: UInt64 = 1_000_000_000

    /// A decision for a call that failed, with everything else in its favour.
    static func decide(
        _ call: RetryPolicy.FailedCall, _ budget: inout RetryBudget, share: Double = 0.2, isAdmitted: Bool = true,
        deadline: UInt64 = .max, now: UInt64 = 100 * second
    ) -> RetryPolicy.Decision {
        var random = SeededGenerator(seed: 1)
        return RetryPolicy().decide(
            call, &budget, share: share, isAdmitted: isAdmitted, deadline: deadline, now: now, using: &random)
    }

    static func decide(_ call: RetryPolicy.FailedCall) -> RetryPolicy.Decision {
        var budget = RetryBudget()
        return decide(call, &budget)
    }

    @Test("what may have been carried out is never tried again, whatever failed, unless a second arrival is harmless")
    func unknownFate() {
        for failure in FailureClass.allCases {
            let unknown = RetryPolicy.FailedCall(failure, isIdempotent: false, isCertainlyUndone: false)
            #expect(Self.decide(unknown) == .refuse(.unknownFate))
            for (isIdempotent, isUndone) in [(true, false), (false, true), (true, true)] {
                let call = RetryPolicy.FailedCall(failure, isIdempotent: isIdempotent, isCertainlyUndone: isUndone)
                guard case .retry = Self.decide(call) else {
                    Issue.record("\(failure) was refused")
                    continue
                }
            }
        }
    }

    @Test("a refusal for unknown fate costs nothing, however often it is asked")
    func refusalIsFree() {
        var budget = RetryBudget()
        let call = RetryPolicy.FailedCall(.timeout, isIdempotent: false, isCertainlyUndone: false)
        for _ in 0..<1_000 { _ = Self.decide(call, &budget) }
        #expect(budget.tokens == RetryBudget.tokensMax)
    }

    @Test("probes, third failures, closed doors and late answers are refused, each by its name")
    func refusals() {
        var call = RetryPolicy.FailedCall(.connection, isIdempotent: true, isCertainlyUndone: true)
        var budget = RetryBudget()
        #expect(Self.decide(call, &budget, isAdmitted: false) == .refuse(.breaker))
        #expect(Self.decide(call, &budget, deadline: 100 * Self.second) == .refuse(.deadline))
        call.isProbe = true
        #expect(Self.decide(call) == .refuse(.probe))
        call.isProbe = false
        call.attempts = 3
        #expect(Self.decide(call) == .refuse(.attempts))
        #expect(budget.tokens == RetryBudget.tokensMax)
    }

    @Test("delays are anywhere between nothing and a bound that doubles with each try, up to twenty seconds")
    func jitter() {
        var random = SeededGenerator(seed: 2)
        for failure in FailureClass.allCases {
            for attempts in 1...30 {
                let call = RetryPolicy.FailedCall(
                    failure, attempts: attempts, isIdempotent: true, isCertainlyUndone: false)
                let base: UInt64 = failure == .timeout || failure == .connection ? 50_000_000 : Self.second
                let most = min(20 * Self.second, base << UInt64(min(attempts - 1, 16)))
                let delays = (0..<200).map { _ in RetryPolicy().delay(call, using: &random) }
                #expect(delays.allSatisfy { $0 <= most })
                #expect(delays.contains { $0 < most / 4 } && delays.contains { $0 > most / 4 * 3 })
            }
        }
    }

    @Test("what the destination asked to wait comes on top, five seconds at most")
    func hint() {
        var random = SeededGenerator(seed: 3)
        var call = RetryPolicy.FailedCall(.throttled, isIdempotent: true, isCertainlyUndone: true)
        call.hintNanoseconds = 3 * Self.second
        #expect((0..<100).allSatisfy { _ in RetryPolicy().delay(call, using: &random) >= 3 * Self.second })
        call.hintNanoseconds = .max
        #expect((0..<100).allSatisfy { _ in RetryPolicy().delay(call, using: &random) <= 6 * Self.second })
    }
}

/// What retries cost.
@Suite struct RetryBudgetTests {
    static func undone(_ failure: FailureClass) -> RetryPolicy.FailedCall {
        RetryPolicy.FailedCall(failure, isIdempotent: false, isCertainlyUndone: true)
    }

    @Test(
        "five hundred tokens are a hundred throttled retries, fifty timed out, or thirty-five lost connections",
        arguments: [(FailureClass.throttled, 100), (.timeout, 50), (.unavailable, 50), (.connection, 35)])
    func tokens(failure: FailureClass, retries: Int) {
        var budget = RetryBudget()
        var decisions: [RetryPolicy.Decision] = []
        // Far apart, so that the share is no limit.
        for number in 0...retries {
            decisions.append(
                RetryPolicyTests.decide(Self.undone(failure), &budget, now: UInt64(number) * 60 * 1_000_000_000))
        }
        #expect(decisions.count { $0 == .refuse(.tokens) } == 1)
        #expect(decisions.last == .refuse(.tokens))
    }

    @Test("a success gives one token back, after a retry what that had cost, and never more than there were")
    func refunds() {
        var budget = RetryBudget()
        _ = RetryPolicyTests.decide(Self.undone(.connection), &budget)
        #expect(budget.tokens == 486)
        budget.succeeded(now: 100 * RetryPolicyTests.second)
        #expect(budget.tokens == 487)
        budget.succeeded(after: .connection, now: 100 * RetryPolicyTests.second)
        #expect(budget.tokens == RetryBudget.tokensMax)
    }

    @Test("retries stay below their share of the calls, but one a second is always possible")
    func share() {
        var budget = RetryBudget()
        let now = 100 * RetryPolicyTests.second
        for _ in 0..<200 { budget.succeeded(now: now) }
        var granted = 0
        while case .retry = RetryPolicyTests.decide(Self.undone(.throttled), &budget, share: 0.1, now: now) {
            granted += 1
        }
        #expect(granted == 20, "a tenth of two hundred")
        #expect(RetryPolicyTests.decide(Self.undone(.throttled), &budget, share: 0.1, now: now) == .refuse(.budget))
        var rare = RetryBudget()
        granted = 0
        while case .retry = RetryPolicyTests.decide(Self.undone(.throttled), &rare, share: 0, now: now) { granted += 1 }
        #expect(granted == 10, "ten in ten seconds")
    }

    @Test("after ten seconds the calls of before are forgotten", arguments: [11, 60, 1_000_000] as [UInt64])
    func forgets(seconds: UInt64) {
        var budget = RetryBudget()
        let now = 100 * RetryPolicyTests.second
        for _ in 0..<10 { _ = RetryPolicyTests.decide(Self.undone(.throttled), &budget, share: 0, now: now) }
        #expect(RetryPolicyTests.decide(Self.undone(.throttled), &budget, share: 0, now: now) == .refuse(.budget))
        let later = RetryPolicyTests.decide(
            Self.undone(.throttled), &budget, share: 0, now: now + seconds * RetryPolicyTests.second)
        guard case .retry = later else {
            Issue.record("still \(later)")
            return
        }
    }

    @Test("tokens stay between none and all, over random histories", arguments: UInt64(1)...20)
    func bounded(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var budget = RetryBudget()
        var now: UInt64 = 0
        for _ in 0..<2_000 {
            now += UInt64.random(in: 0...3_000_000_000, using: &random)
            let failure = FailureClass.allCases.randomElement(using: &random)!
            let before = budget.tokens
            switch Int.random(in: 0..<4, using: &random) {
            case 0: budget.succeeded(now: now)
            case 1: budget.succeeded(after: failure, now: now)
            case 2: budget.failed(now: now)
            default:
                let share = Double.random(in: 0...0.2, using: &random)
                if case .retry = RetryPolicyTests.decide(Self.undone(failure), &budget, share: share, now: now) {
                    #expect(budget.tokens == before - RetryPolicy.cost(failure))
                } else {
                    #expect(budget.tokens == before)
                }
            }
            #expect((0...RetryBudget.tokensMax).contains(budget.tokens))
        }
    }
}
