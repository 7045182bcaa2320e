import NIOCore
import Pipeline
import Resilience
import Testing

/// The probe of an upstream whose breaker is open: when it asks, and what the guard hears.
@Suite("Probing an upstream") struct UpstreamProbeTests {
    private let guarded = GuardedWorld()

    private func probe() -> RedisUpstreamProbe {
        RedisUpstreamProbe(lane: guarded.world.lane, listener: guarded.world.profile, credentials: nil)
    }

    private func text(_ step: OutboundStep<Never>) -> String { String(decoding: step.bytes, as: UTF8.self) }

    private func isOpen(_ step: OutboundStep<Never>) -> Bool { if case .open = step.connection { true } else { false } }

    private func isClose(_ step: OutboundStep<Never>) -> Bool {
        if case .close = step.connection { true } else { false }
    }

    @Test("nothing is asked while all may pass, nor while none may")
    func quiet() {
        var probe = probe()
        #expect(!isOpen(probe.woken(at: guarded.world.now)))
        guarded.open("upstream")
        #expect(!isOpen(probe.woken(at: guarded.world.now)))
        #expect(guarded.tally("upstream") == "1 rejected")
    }

    @Test(
        "a probe is a question, and any answer but a broker's trouble is good",
        arguments: [
            ("+PONG\r\n", "1 calls, 1 probes begun, 1 probes"), ("-NOAUTH\r\n", "1 calls, 1 probes begun, 1 probes"),
            ("-LOADING\r\n", "1 calls, 1 connection, 1 probes begun, 1 failed probes"),
        ])
    func answers(reply: String, tally: String) {
        var probe = probe()
        guarded.set("upstream", .probes(most: 1))
        #expect(isOpen(probe.woken(at: guarded.world.now)))
        #expect(text(probe.connected(at: guarded.world.now)) == command("PING"))
        #expect(isClose(probe.received(ByteBuffer(string: reply), at: guarded.world.now)))
        #expect(guarded.tally("upstream") == tally)
        // The end of that connection is on its way here; until then no other is opened.
        guarded.set("upstream", .probes(most: 1))
        #expect(!isOpen(probe.woken(at: guarded.world.now)))
        _ = probe.disconnected(.failed, at: guarded.world.now)
        #expect(isOpen(probe.woken(at: guarded.world.now)))
    }

    @Test("a broker that accepts and says nothing has failed when its time is up; so has one that is not there")
    func silence() {
        var probe = probe()
        guarded.set("upstream", .probes(most: 1))
        _ = probe.woken(at: guarded.world.now)
        let step = probe.connected(at: guarded.world.now)
        #expect(step.wakesAt == guarded.world.now.monotonicNanoseconds + 5_000_000_000)
        guarded.world.advance(milliseconds: 5_000)
        #expect(isClose(probe.woken(at: guarded.world.now)))
        #expect(guarded.tally("upstream") == "1 calls, 1 timeout, 1 probes begun, 1 failed probes")
        _ = probe.disconnected(.failed, at: guarded.world.now)
        guarded.set("upstream", .probes(most: 1))
        _ = probe.woken(at: guarded.world.now)
        _ = probe.disconnected(.failed, at: guarded.world.now)
        #expect(guarded.tally("upstream") == "1 calls, 1 connection, 1 probes begun, 1 failed probes")
    }
}
