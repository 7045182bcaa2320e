import Testing

@testable import Resilience

/// What an operator says wins, whatever the calls say.
@Suite struct BreakerOverrideTests {
    @Test("forced open rejects every call until it is taken back, and then begins anew as closed")
    func forcedOpen() throws {
        var world = BreakerWorld(.auto)
        world.run(10)
        let said = world.machine.setOverride(.forcedOpen, now: world.now)
        let transition = try #require(said)
        #expect((transition.from, transition.to, transition.reason) == (.closed, .open, .operator))
        let before = world.admitted
        let events = world.run(600)
        #expect(events.isEmpty)
        #expect(world.admitted == before)
        guard case .none(let retryAt) = world.machine.admission else {
            Issue.record("\(world.machine.admission)")
            return
        }
        #expect(retryAt > world.now)
        let unsaid = world.machine.setOverride(nil, now: world.now)
        let back = try #require(unsaid)
        #expect((back.from, back.to, back.reason) == (.open, .closed, .operator))
        #expect(world.machine.admission == .all)
    }

    @Test(
        "forced closed and disabled let every call pass and decide nothing",
        arguments: [BreakerOverride.forcedClosed, .disabled])
    func forcedClosed(override: BreakerOverride) {
        var world = BreakerWorld(.auto)
        world.failing = 1
        world.reach(.open)
        let said = world.machine.setOverride(override, now: world.now)
        #expect(said?.to == .closed)
        let rejected = world.rejected
        let events = world.run(60)
        #expect(events.isEmpty)
        #expect(world.rejected == rejected)
        #expect(!world.machine.isHealthy, "what is measured meanwhile is not learned")
        let unsaid = world.machine.setOverride(nil, now: world.now)
        #expect(unsaid == nil)
        // the failures of now count, those of before do not.
        world.reach(.open)
    }

    @Test("saying the same twice is no second transition", arguments: BreakerOverride.allCases)
    func twice(override: BreakerOverride) {
        var world = BreakerWorld(.auto)
        _ = world.machine.setOverride(override, now: world.now)
        let again = world.machine.setOverride(override, now: world.now)
        #expect(again == nil)
        #expect(world.machine.override == override)
    }

    @Test("in shadow, too, forced open rejects: an operator is no experiment")
    func shadowForcedOpen() {
        var world = BreakerWorld(.shadow)
        _ = world.machine.setOverride(.forcedOpen, now: world.now)
        world.run(1)
        #expect(world.admitted == 0)
    }
}
