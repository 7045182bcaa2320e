import Export
import Synchronization
import Telemetry
import TestSupport
import Testing

@Suite("Span queue")
struct SpanQueueTests {
    let world = SpanWorld()
    let time = FakeClock()

    private func offer(_ numbers: ClosedRange<UInt64>, to queue: SpanQueue) {
        var batch = numbers.map { world.record($0) }
        let capacity = batch.capacity
        queue.offer(&batch)
        #expect(batch.isEmpty && batch.capacity == capacity)
    }

    private func take(_ queue: SpanQueue, limit: Int) -> [UInt64] {
        var records: [SpanRecord] = []
        _ = queue.nextBatch(into: &records, limit: limit, delayNanoseconds: 0, clock: time.clock())
        return records.map(\.spanID.value)
    }

    @Test("Spans leave in the order in which they came, around the end of the ring too")
    func order() {
        let queue = SpanQueue(capacity: 5)
        offer(1...4, to: queue)
        #expect(take(queue, limit: 3) == [1, 2, 3])
        offer(5...8, to: queue)
        #expect(queue.snapshot().queued == 5)
        #expect(take(queue, limit: 10) == [4, 5, 6, 7, 8])
        #expect(take(queue, limit: 10) == [])
    }

    @Test("When it is full the oldest give way and are counted")
    func full() {
        let queue = SpanQueue(capacity: 4)
        offer(1...3, to: queue)
        offer(4...6, to: queue)
        #expect(queue.snapshot().dropped(.queueFull) == 2)
        #expect(take(queue, limit: 10) == [3, 4, 5, 6])
        offer(10...19, to: queue)
        #expect(queue.snapshot().dropped(.queueFull) == 8)
        #expect(take(queue, limit: 10) == [16, 17, 18, 19])
        #expect(queue.snapshot().isBalanced)
    }

    @Test("Without an exporter every span is counted as dropped for that reason")
    func disabled() {
        let queue = SpanQueue(capacity: 4, isEnabled: false)
        offer(1...9, to: queue)
        queue.close()
        let ledger = queue.snapshot()
        #expect(ledger.sampled == 9)
        #expect(ledger.dropped(.disabled) == 9)
        #expect(ledger.isBalanced)
    }

    @Test("A batch leaves when the delay has passed")
    func delay() {
        let queue = SpanQueue(capacity: 100)
        offer(1...3, to: queue)
        var records: [SpanRecord] = []
        #expect(queue.nextBatch(into: &records, limit: 10, delayNanoseconds: 500, clock: time.clock()))
        #expect(time.waits == [500])
        #expect(records.count == 3)
    }

    @Test("A full batch leaves at once, and one that fills up meanwhile ends the wait")
    func fullBatch() {
        let queue = SpanQueue(capacity: 100)
        offer(1...10, to: queue)
        var records: [SpanRecord] = []
        #expect(queue.nextBatch(into: &records, limit: 10, delayNanoseconds: 500, clock: time.clock()))
        #expect(time.waits.isEmpty)
        #expect(records.count == 10)

        records.removeAll()
        let early = ExportClock(
            now: { time.now },
            wait: { signal, _ in
                // Another thread fills the batch; the signal it gives must be there to end a wait for ever.
                offer(11...25, to: queue)
                signal.wait(nanoseconds: .max)
                time.advance(100)
            }, random: { 0 })
        #expect(queue.nextBatch(into: &records, limit: 10, delayNanoseconds: 500, clock: early))
        #expect(records.count == 10)
        #expect(queue.snapshot().queued == 5)
    }

    @Test("A flush ends the wait once")
    func flush() {
        let queue = SpanQueue(capacity: 100)
        offer(1...1, to: queue)
        queue.flush()
        #expect(take(queue, limit: 10) == [1])
        offer(2...2, to: queue)
        var records: [SpanRecord] = []
        #expect(queue.nextBatch(into: &records, limit: 10, delayNanoseconds: 70, clock: time.clock()))
        #expect(time.waits == [70])
    }

    @Test("A drain empties the queue without delay and ends it; what comes later is counted")
    func drain() {
        let queue = SpanQueue(capacity: 100)
        offer(1...5, to: queue)
        queue.beginDrain(deadline: 99)
        queue.beginDrain(deadline: 1_000)
        #expect(queue.drainDeadline == 99)
        var records: [SpanRecord] = []
        #expect(queue.nextBatch(into: &records, limit: 4, delayNanoseconds: 500, clock: time.clock()))
        #expect(records.count == 4)
        queue.settle(exported: 4)
        queue.close()
        records.removeAll()
        #expect(!queue.nextBatch(into: &records, limit: 4, delayNanoseconds: 500, clock: time.clock()))
        #expect(time.waits.isEmpty)
        offer(6...8, to: queue)
        let ledger = queue.snapshot()
        #expect(ledger.exported == 4)
        #expect(ledger.dropped(.shutdown) == 4)
        #expect(ledger.isBalanced)
    }

    @Test("Spans that come just before a drain are not left behind by a wait that ended with none")
    func drainBehindAnEmptyWait() {
        let queue = SpanQueue(capacity: 100)
        let racing = time.clock { _ in
            // The delay is over with this wait; the rest happens while the thread wakes up.
            offer(1...2, to: queue)
            queue.beginDrain(deadline: .max)
        }
        var records: [SpanRecord] = []
        #expect(queue.nextBatch(into: &records, limit: 10, delayNanoseconds: 50, clock: racing))
        #expect(records.count == 2)
        records.removeAll()
        #expect(!queue.nextBatch(into: &records, limit: 10, delayNanoseconds: 50, clock: racing))
    }

    @Test("A pause lasts its time, and ends early when a drain begins")
    func pause() {
        let queue = SpanQueue(capacity: 10)
        queue.pause(until: time.now + 300, clock: time.clock())
        #expect(time.waits == [300])
        let draining = time.clock { _ in queue.beginDrain(deadline: 5) }
        let short = ExportClock(
            now: draining.now, wait: { signal, _ in draining.wait(signal, 10) }, random: draining.random)
        queue.pause(until: time.now + 1_000_000, clock: short)
        #expect(time.waits == [300, 10])
    }

    @Test("The ledger is balanced after any sequence of operations", arguments: 0..<20 as Range<UInt64>)
    func invariant(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let queue = SpanQueue(capacity: Int.random(in: 1...600, using: &generator))
        var inFlight = 0
        var sampled = 0
        for _ in 0..<300 {
            switch Int.random(in: 0..<6, using: &generator) {
            case 0, 1:
                let count = Int.random(in: 0...400, using: &generator)
                var batch = world.records(count)
                sampled += count
                queue.offer(&batch)
            case 2, 3:
                inFlight += take(queue, limit: Int.random(in: 1...700, using: &generator)).count
            case 4:
                let count = Int.random(in: 0...inFlight, using: &generator)
                queue.settle(exported: count)
                inFlight -= count
            default:
                let count = Int.random(in: 0...inFlight, using: &generator)
                queue.settle(dropped: count, DropReason.allCases.randomElement(using: &generator) ?? .permanent)
                inFlight -= count
            }
            let ledger = queue.snapshot()
            #expect(ledger.isBalanced)
            #expect(ledger.sampled == UInt64(sampled) && ledger.inFlight == UInt64(inFlight))
        }
    }

    @Test("The ledger is balanced in every snapshot while threads offer and take")
    func concurrentInvariant() async {
        let queue = SpanQueue(capacity: 1_000)
        await withTaskGroup(of: Void.self) { group in
            for producer in 0..<3 {
                group.addTask {
                    let records = world.records(16)
                    for round in 0..<500 {
                        var batch = Array(records.prefix(1 + (round + producer) % 16))
                        queue.offer(&batch)
                    }
                }
            }
            group.addTask {
                for _ in 0..<500 {
                    let count = take(queue, limit: 64).count
                    queue.settle(exported: count)
                    #expect(queue.snapshot().isBalanced)
                }
            }
        }
        queue.close()
        let ledger = queue.snapshot()
        #expect(ledger.isBalanced && ledger.queued == 0 && ledger.inFlight == 0)
    }
}
