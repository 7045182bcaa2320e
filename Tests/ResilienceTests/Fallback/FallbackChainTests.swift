import Resilience
import Testing

/// The machine of the chain: every step with every outcome.
@Suite("Fallback chain") struct FallbackChainTests {
    private static let deadlines = FallbackDeadlines(secondary: 10, spool: 20, deadLetter: 30)
    private static let attempted: [FallbackStep] = [.secondary, .spool, .deadLetter]
    private static let undone = FallbackOutcome.allCases.filter(\.isCertainlyUndone)

    private func chain(_ steps: FallbackStep..., skipping: Set<FallbackStep> = []) throws -> FallbackChain {
        FallbackChain(try #require(FallbackPlan(steps)), deadlines: Self.deadlines, skipping: skipping)
    }

    private func deadline(_ step: FallbackStep) -> UInt64 {
        switch step {
        case .secondary: 10
        case .spool: 20
        case .deadLetter: 30
        case .fail: 0
        }
    }

    @Test("a plan: failing is last whether it is said or not, and no step comes twice")
    func plans() {
        #expect(FallbackPlan([.spool])?.steps == [.spool])
        #expect(FallbackPlan([.spool, .fail])?.steps == [.spool])
        #expect(FallbackPlan([.fail]) == .fail && FallbackPlan([]) == .fail)
        #expect(FallbackPlan([.fail, .spool]) == nil)
        #expect(FallbackPlan([.spool, .secondary, .spool]) == nil)
        #expect(FallbackPlan([.fail, .fail]) == nil)
        #expect(FallbackPlan([.spool])?.contains(.fail) == true && FallbackPlan.fail.contains(.spool) == false)
    }

    @Test("without steps it fails at once")
    func nothing() throws {
        var chain = try chain(.fail)
        #expect(chain.begin(at: 100) == .fail && chain.current == nil && chain.lastFailure == nil)
    }

    @Test("a step that certainly does not have the message hands it on, with the deadline of the next from now on")
    func handsOn() throws {
        for first in Self.attempted {
            for second in Self.attempted where second != first {
                for outcome in Self.undone {
                    var chain = try chain(first, second)
                    #expect(chain.begin(at: 100) == .attempt(first, until: 100 + deadline(first)))
                    #expect(chain.ended(outcome, at: 105) == .attempt(second, until: 105 + deadline(second)))
                    #expect(chain.current == second)
                    #expect(chain.ended(outcome, at: 130) == .fail && chain.current == nil)
                }
            }
        }
    }

    @Test("a step that has the message ends the chain with its answer, one that may have it with its doubt")
    func ends() throws {
        for step in Self.attempted {
            for next in Self.attempted where next != step {
                var taken = try chain(step, next)
                _ = taken.begin(at: 0)
                #expect(taken.ended(.taken, at: 1) == .answer(step))
                #expect(taken.current == nil && taken.ended(.refused, at: 2) == .fail)

                var doubtful = try chain(step, next)
                _ = doubtful.begin(at: 0)
                #expect(doubtful.ended(.unknown, at: 1) == .reportUnknown(step))
                #expect(doubtful.current == nil && doubtful.ended(.taken, at: 2) == .fail)
                #expect(doubtful.begin(at: 3) == .fail)
            }
        }
    }

    @Test("what is to be skipped is not tried, wherever it stands")
    func skips() throws {
        var chain = try chain(.secondary, .spool, .deadLetter, skipping: [.secondary])
        #expect(chain.begin(at: 0) == .attempt(.spool, until: 20))
        var tail = try self.chain(.spool, .secondary, skipping: [.secondary])
        #expect(tail.begin(at: 0) == .attempt(.spool, until: 20) && tail.ended(.full, at: 1) == .fail)
    }

    @Test("the last reason is remembered")
    func reasons() throws {
        var chain = try chain(.secondary, .spool)
        _ = chain.begin(at: 0)
        _ = chain.ended(.unavailable, at: 1)
        #expect(chain.lastFailure?.step == .secondary && chain.lastFailure?.outcome == .unavailable)
        _ = chain.ended(.full, at: 3)
        #expect(chain.lastFailure?.step == .spool && chain.lastFailure?.outcome == .full)
    }

    @Test("every chain ends after as many outcomes as it has steps, and no step is tried twice")
    func exhaustive() throws {
        let orders: [[FallbackStep]] = [
            [], [.secondary], [.spool], [.deadLetter], [.secondary, .spool], [.spool, .secondary],
            [.secondary, .deadLetter], [.deadLetter, .secondary], [.spool, .deadLetter], [.deadLetter, .spool],
            [.secondary, .spool, .deadLetter], [.secondary, .deadLetter, .spool], [.spool, .secondary, .deadLetter],
            [.spool, .deadLetter, .secondary], [.deadLetter, .secondary, .spool], [.deadLetter, .spool, .secondary],
        ]
        var ways = 0
        func go(_ chain: FallbackChain, _ move: FallbackChain.Move, tried: [FallbackStep], plan: [FallbackStep]) {
            guard case .attempt(let step, _) = move else {
                ways += 1
                if move == .fail { #expect(tried == plan) }
                return
            }
            #expect(chain.current == step && !tried.contains(step) && plan[tried.count] == step)
            for outcome in FallbackOutcome.allCases {
                var next = chain
                let move = next.ended(outcome, at: 0)
                go(next, move, tried: tried + [step], plan: plan)
            }
        }
        for order in orders {
            var chain = FallbackChain(try #require(FallbackPlan(order)), deadlines: Self.deadlines)
            let move = chain.begin(at: 0)
            go(chain, move, tried: [], plan: order)
        }
        // Of six outcomes two end a chain, and four lead on.
        #expect(ways == 1 + 3 * 6 + 6 * (2 + 4 * 6) + 6 * (2 + 4 * (2 + 4 * 6)))
    }
}
