import Pipeline
import Telemetry
import Testing

/// What a watcher is told: every step of every message, kept in a trace or not.
@Suite struct TapTests {
    private let now = World.startUnixMilliseconds
    private let read = command("XREADGROUP", "GROUP", "workers", "c1", "COUNT", "9", "STREAMS", "s", ">")

    private func told(_ subscription: TapSubscription, _ world: World) -> [String] {
        let text = TapText(names: world.shared.names, catalog: world.shared.catalog, listeners: ["redis"])
        return subscription.take().events.map { event in
            let message = text.message(event)
            var words = [message.stage, message.operation, message.destination]
            if let group = message.group { words.append("group \(group)") }
            if let consumer = message.consumer { words.append("consumer \(consumer)") }
            if let id = message.messageID { words.append("id \(id)") }
            if let size = message.bodyBytes { words.append("body \(size)") }
            if let queue = message.queueSeconds { words.append("queued \(queue)") }
            if let duration = message.durationSeconds { words.append("took \(duration)") }
            if let attempt = message.attempt { words.append("attempt \(attempt)") }
            words.append(message.outcome)
            if let error = message.error { words.append(error) }
            if message.sampled { words.append("sampled") }
            return words.joined(separator: " ")
        }
    }

    @Test func theLifeOfAnUnsampledMessage() throws {
        let world = World(sampler: .alwaysOff)
        let tap = try #require(world.shared.tap.watch(TapFilter()))
        let session = world.connect()
        session.client(command("XADD", "s", "*", "k", "v"))
        world.advance(milliseconds: 1)
        session.upstream(bulk("\(now)-0"))
        #expect(told(tap, world) == ["published xadd s id \(now)-0 body 2 took 0.001 ok"])
        world.advance(milliseconds: 9)
        session.client(read)
        session.upstream(streams(("s", [entry("\(now)-0", "k", "v")])))
        #expect(
            told(tap, world) == [
                "delivered xreadgroup s group workers consumer c1 id \(now)-0 body 2 queued 0.01 attempt 1 ok"
            ])
        world.advance(milliseconds: 30)
        session.client(command("XACK", "s", "workers", "\(now)-0"))
        session.upstream(integer(1))
        #expect(
            told(tap, world) == [
                "settled process s group workers consumer c1 id \(now)-0 body 2 queued 0.01 took 0.03 attempt 1 ok"
            ])
        #expect(world.spans().isEmpty)
    }

    @Test func redeliveryAndExpiry() throws {
        let world = World(unsettledSeconds: 1)
        let tap = try #require(world.shared.tap.watch(TapFilter(outcome: .redelivered)))
        let expired = try #require(world.shared.tap.watch(TapFilter(outcome: .unsettled)))
        let session = world.connect()
        session.client(read)
        session.upstream(streams(("s", [entry("\(now)-0", "k", "v")])))
        world.advance(milliseconds: 5)
        session.client(command("XCLAIM", "s", "workers", "c2", "0", "\(now)-0"))
        session.upstream(array([entry("\(now)-0", "k", "v")]))
        #expect(
            told(tap, world) == [
                "settled process s group workers consumer c1 id \(now)-0 body 2 queued 0.0 took 0.005 attempt 1 "
                    + "redelivered sampled"
            ])
        world.advance(milliseconds: 2_000)
        world.lane.tick(at: world.now)
        #expect(
            told(expired, world) == [
                "settled process s group workers consumer c2 id \(now)-0 body 2 took 2.0 attempt 2 unsettled sampled"
            ])
    }

    @Test func errorsAndPushes() throws {
        let world = World(sampler: .alwaysOff)
        let tap = try #require(world.shared.tap.watch(TapFilter()))
        let session = world.connect()
        session.client(command("XADD", "s", "*", "k", "v"))
        session.upstream("-WRONGTYPE no stream\r\n")
        session.client(read)
        session.upstream("-NOGROUP no group\r\n")
        session.client(command("XACK", "s", "workers", "\(now)-0"))
        session.upstream("-NOPERM no right\r\n")
        session.client(command("PUBLISH", "news", "hello"))
        session.upstream(integer(1))
        #expect(
            told(tap, world) == [
                "published xadd s body 2 took 0.0 error WRONGTYPE",
                "delivered xreadgroup s group workers consumer c1 took 0.0 error NOGROUP",
                "settled xack s group workers took 0.0 error NOPERM",
                "published publish news body 5 took 0.0 ok",
            ])
    }

    @Test func deliveriesThatNobodySettles() throws {
        let world = World()
        let tap = try #require(world.shared.tap.watch(TapFilter()))
        let session = world.connect()
        session.client(command("XREAD", "STREAMS", "s", "0"))
        session.upstream(streams(("s", [entry("\(now)-0", "k", "v"), entry("\(now)-1", "k", "v")])))
        #expect(
            told(tap, world) == [
                "delivered xread s id \(now)-0 body 2 queued 0.0 ok sampled",
                "delivered xread s id \(now)-1 body 2 queued 0.0 ok sampled",
            ])
        session.client(command("XRANGE", "s", "-", "+"))
        session.upstream(array([entry("\(now)-0", "k", "v")]))
        #expect(told(tap, world).isEmpty, "a look at what is stored delivers nothing")
    }
}
