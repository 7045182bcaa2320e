import Pipeline
import Testing

/// Messages that are given up: by whom, and on which trace it stands.
@Suite struct DeadLetterTests {
    @Test("what a stream of dead letters takes is counted, what it refuses is not")
    func published() {
        let world = World()
        let session = world.connect()
        session.client(command("XADD", "orders.dlq", "*", "k", "v") + command("XADD", "orders", "*", "k", "v"))
        session.upstream(bulk("1-0") + bulk("1-0"))
        #expect(world.metric("tacho_dead_letters_total", #"destination_name="orders.dlq""#) == 1)
        #expect(world.metric("tacho_dead_letters_total", #"reason="published""#) == 1)
        session.client(command("XADD", "orders.dlq", "*", "k", "v"))
        session.upstream("-OOM command not allowed\r\n")
        #expect(world.metric("tacho_dead_letters_total") == 1)
    }
}
