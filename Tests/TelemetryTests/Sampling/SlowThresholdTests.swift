import TestSupport
import Testing

@testable import Telemetry

@Suite("What counts as slow")
struct SlowThresholdTests {
    @Test("nothing is slow while little is known")
    func few() {
        var slow = SlowThreshold()
        for _ in 0..<(SlowThreshold.samplesMin - 1) { slow.record(1_000_000) }
        slow.refresh()
        #expect(slow.nanoseconds == .max)
        slow.record(1_000_000)
        slow.refresh()
        #expect((1_000_000...1_125_000).contains(slow.nanoseconds))
    }

    @Test("the limit is the 99th percentile or up to an eighth above it", arguments: 1...5)
    func percentile(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var slow = SlowThreshold()
        var samples: [UInt64] = []
        for _ in 0..<20_000 {
            let unit = Double.random(in: 0.000_01..<1, using: &generator)
            samples.append(UInt64(2_000_000 / unit.squareRoot()))
            slow.record(samples[samples.count - 1])
        }
        slow.refresh()
        let exact = Double(samples.sorted()[samples.count * 99 / 100])
        #expect(Double(slow.nanoseconds) >= exact * 0.99 && Double(slow.nanoseconds) <= exact * 1.13)
    }

    @Test("it follows a destination that has become slower")
    func follows() {
        var slow = SlowThreshold()
        for _ in 0..<200 {
            for _ in 0..<2_000 { slow.record(1_000_000) }
            slow.refresh()
        }
        for _ in 0..<200 {
            for _ in 0..<2_000 { slow.record(50_000_000) }
            slow.refresh()
        }
        #expect((50_000_000...57_000_000).contains(slow.nanoseconds))
    }

    @Test("every duration lies in its bucket, and no bucket is passed over")
    func buckets() {
        for bucket in 0..<335 {
            let largest = SlowThreshold.largest(in: bucket)
            #expect(SlowThreshold.bucket(of: largest) == bucket)
            #expect(SlowThreshold.bucket(of: largest + 1) == bucket + 1)
        }
        for extreme in [0, 1, 8, UInt64.max] { #expect((0..<336).contains(SlowThreshold.bucket(of: extreme))) }
    }
}

@Suite("Names of dead letters")
struct DeadLetterNameTests {
    @Test(arguments: ["orders:dlq", "orders.DLQ", "dead-letter", "orders_dead_letters", "DeadLetter", "x-dlx"])
    func matches(_ name: String) { #expect(DeadLetterName.matches(name)) }

    @Test(arguments: ["orders", "dlqueue", "deadline", "the-dead", "letters", ""])
    func passes(_ name: String) { #expect(!DeadLetterName.matches(name)) }
}
