import Telemetry
import TestSupport
import Testing

@testable import Pipeline

/// The tables of open deliveries: order, bounds, groups.
@Suite struct DeliveryTableTests {
    private func key(_ message: UInt64, group: UInt64 = 1, stream: UInt64 = 1) -> DeliveryKey {
        DeliveryKey(stream: stream, group: group, messageID: entry(message))
    }

    private func entry(_ milliseconds: UInt64) -> MessageID { .streamEntry(milliseconds: milliseconds, sequence: 0) }

    private func delivery(at nanoseconds: UInt64 = 0, attempt: UInt32 = 1) -> OpenDelivery {
        OpenDelivery(
            listener: 0, destination: .none, group: .none, consumer: .none, client: .none,
            deliveredAt: Instant(monotonicNanoseconds: nanoseconds, unixNanoseconds: 0), creation: nil,
            process: TraceContext(traceID: .none, spanID: .none, flags: []), attempt: attempt, bodySize: 0,
            queueNanoseconds: 0, conversationIsTraceID: false, conversation: nil)
    }

    @Test func whatGoesInComesOutOnce() {
        var table = DeliveryTable(capacity: 4)
        #expect(table.insert(delivery(attempt: 7), for: key(1))?.evicted == nil)
        #expect(table.count == 1)
        #expect(table.remove(key(1, group: 2)) == nil)
        #expect(table.remove(key(1, stream: 2)) == nil)
        #expect(table.remove(key(1))?.attempt == 7)
        #expect(table.remove(key(1)) == nil)
        #expect(table.count == 0)
    }

    @Test func theSameMessageAgainDisplacesTheEarlier() {
        var table = DeliveryTable(capacity: 2)
        _ = table.insert(delivery(attempt: 1), for: key(1))
        _ = table.insert(delivery(), for: key(2))
        let displaced = table.insert(delivery(attempt: 2), for: key(1))
        #expect(displaced?.earlier?.attempt == 1)
        #expect(displaced?.evicted == nil)
        // It is the newest now: the other one has to go first.
        #expect(table.insert(delivery(), for: key(3))?.evicted?.key == key(2))
    }

    @Test func theOldestIsEvicted() {
        var table = DeliveryTable(capacity: 3)
        for message in 1...3 { _ = table.insert(delivery(), for: key(UInt64(message))) }
        _ = table.remove(key(2))
        #expect(table.insert(delivery(), for: key(4))?.evicted == nil)
        #expect(table.insert(delivery(), for: key(5))?.evicted?.key == key(1))
        #expect(table.insert(delivery(), for: key(6))?.evicted?.key == key(3))
        #expect(table.insert(delivery(), for: key(7))?.evicted?.key == key(4))
        #expect(table.count == 3)
    }

    @Test func theOldestExpireFirstAndOnlySoMany() {
        var table = DeliveryTable(capacity: 10)
        for message in 1...5 { _ = table.insert(delivery(at: UInt64(message) * 10), for: key(UInt64(message))) }
        #expect(table.expire(deliveredBefore: 10, most: 9).isEmpty)
        #expect(table.expire(deliveredBefore: 35, most: 2).map(\.key) == [key(1), key(2)])
        #expect(table.expire(deliveredBefore: 35, most: 2).map(\.key) == [key(3)])
        #expect(table.expire(deliveredBefore: 1_000, most: 0).isEmpty)
        #expect(table.count == 2)
    }

    @Test func everyGroupOfAMessageIsFound() {
        var table = DeliveryTable(capacity: 10)
        _ = table.insert(delivery(attempt: 1), for: key(1, group: 1))
        _ = table.insert(delivery(attempt: 2), for: key(1, group: 2))
        _ = table.insert(delivery(attempt: 3), for: key(2, group: 3))
        _ = table.insert(delivery(attempt: 4), for: key(1, group: 1, stream: 2))
        #expect(table.removeAll(stream: 1, messageID: entry(1)).map(\.attempt) == [1, 2])
        #expect(table.removeAll(stream: 1, messageID: entry(1)).isEmpty)
        #expect(table.removeAll(stream: 9, messageID: entry(1)).isEmpty)
        #expect(table.count == 2)
    }

    /// Against the plainest model of the same thing.
    @Test func itBehavesLikeAList() {
        var random = SeededGenerator(seed: 11)
        var table = DeliveryTable(capacity: 20)
        var model: [(key: DeliveryKey, attempt: UInt32)] = []
        for step in 0..<5_000 {
            let key = key(.random(in: 0..<30, using: &random), group: .random(in: 0..<3, using: &random))
            if Bool.random(using: &random) {
                let known = model.firstIndex { $0.key == key }.map { model.remove(at: $0) }
                let oldest = model.count == 20 ? model.removeFirst() : nil
                model.append((key, UInt32(step)))
                let displaced = table.insert(delivery(attempt: UInt32(step)), for: key)
                #expect(displaced?.earlier?.attempt == known?.attempt)
                #expect(displaced?.evicted?.key == oldest?.key)
            } else {
                let known = model.firstIndex { $0.key == key }.map { model.remove(at: $0) }
                #expect(table.remove(key)?.attempt == known?.attempt)
            }
            #expect(table.count == model.count)
        }
    }

    @Test func shardsShareTheCapacity() {
        let deliveries = OpenDeliveries(capacity: 1_600, unsettledNanoseconds: 100)
        for message in 0..<800 {
            _ = deliveries.insert(delivery(at: 50), for: key(UInt64(message) + 1_700_000_000_000))
        }
        // One stream and consecutive ids: spread well enough that half the capacity evicts nothing.
        #expect(deliveries.count == 800)
        #expect(deliveries.remove(key(1_700_000_000_005)) != nil)
        #expect(deliveries.removeAll(stream: 1, messageID: entry(1_700_000_000_006)).count == 1)
        let now = Instant(monotonicNanoseconds: 150, unixNanoseconds: 0)
        #expect(deliveries.expire(at: now, most: 9).isEmpty)
        let later = Instant(monotonicNanoseconds: 151, unixNanoseconds: 0)
        #expect(deliveries.expire(at: later, most: 9).count == 16 * 9)
        #expect(deliveries.expire(at: later, most: 1_000).count == 798 - 16 * 9)
        #expect(deliveries.count == 0)
    }

    @Test func aClockThatHasJustStartedExpiresNothing() {
        let deliveries = OpenDeliveries(capacity: 16, unsettledNanoseconds: 100)
        _ = deliveries.insert(delivery(at: 1), for: key(1))
        #expect(deliveries.expire(at: Instant(monotonicNanoseconds: 50, unixNanoseconds: 0), most: 9).isEmpty)
    }
}
