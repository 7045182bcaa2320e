import Foundation
import TestSupport
import Testing

@testable import Resilience

/// The properties that detector B must have, each with the figures it was specified with.
@Suite struct EnvelopeDetectorTests {
    /// 2026-01-01T00:00:00Z, a Thursday.
    private static let start = 1_767_225_600.0

    private func scores(
        _ values: [Double], tickSeconds: Double = 60, resolution: Double = 0, start: Double = start
    ) -> [Double] {
        var detector = EnvelopeDetector(resolution: resolution)
        return values.enumerated().map { detector.score($1, atUnixSeconds: start + Double($0) * tickSeconds) }
    }

    @Test("a multiple of a series has the same scores, exactly for a power of two")
    func scale() {
        let series = Series.gaussian(20_000, seed: 1)
        let plain = scores(series)
        #expect(plain.max()! > 0.2)
        // Bins are 32-bit and their deviations 16-bit: other factors round differently, far below what a score is used for.
        for (factor, tolerance) in [(1024.0, 1e-12), (1000, 2e-3), (1e-6, 2e-3)] {
            let scaled = scores(series.map { $0 * factor })
            let difference = zip(plain, scaled).map { abs($0 - $1) }.max()!
            #expect(difference < tolerance, "factor \(factor): \(difference)")
        }
    }

    @Test("a constant series never scores", arguments: [0, 0.1, 1.0 / 3, 1e9 + 0.1, -7, 1e-12, 1e280])
    func constants(value: Double) {
        for tick in [1.0, 10, 15, 30, 60, 300] {
            let all = scores(Array(repeating: value, count: 20_000), tickSeconds: tick)
            #expect(all.allSatisfy { $0 == 0 }, "tick \(tick)")
        }
    }

    @Test("scores are in 0 to below 1, whatever comes")
    func range() {
        var random = SeededGenerator(seed: 7)
        var detector = EnvelopeDetector(resolution: 0)
        var time = Self.start
        for _ in 0..<200_000 {
            time += [1, 10, 60, 3600, 1e6].randomElement(using: &random)!
            let exponent = Double.random(in: -300...290, using: &random)
            let score = detector.score(pow(10, exponent) * (Bool.random(using: &random) ? 1 : -1), atUnixSeconds: time)
            #expect(score >= 0 && score < 1)
        }
    }

    @Test("the first hundred samples score 0; the hundred and first can be an alarm")
    func firstSamples() {
        var series = Series.gaussian(101, seed: 3)
        series[40] = 1e6
        #expect(scores(series)[..<100].allSatisfy { $0 == 0 })
        series = Series.gaussian(101, seed: 3)
        series[100] = 1e6
        #expect(scores(series)[100] > 0.8)
    }

    @Test("what comes later changes no score")
    func noLookAhead() {
        let series = Series.gaussian(5_000, seed: 4)
        let whole = scores(series)
        for length in [1, 50, 51, 100, 101, 1_440, 3_333] {
            #expect(scores(Array(series[..<length])) == Array(whole[..<length]))
        }
    }

    @Test("a pulse reports its start and its end, and nothing again meanwhile unless three times worse")
    func episodes() {
        for seed in UInt64(1)...8 {
            var series = Series.gaussian(8_000, seed: seed)
            for index in 6_000..<6_100 { series[index] += 12 * 5 }
            let found = scores(series)
            let alarms = found.indices.filter { $0 >= 5_000 && found[$0] >= EnvelopeDetector.warning }
            #expect(alarms.contains(6_000), "seed \(seed): \(alarms)")
            #expect(found[6_000] > 0.93)
            #expect(alarms.contains { (6_100..<6_110).contains($0) }, "seed \(seed): \(alarms)")
            #expect(alarms.allSatisfy { (6_000..<6_110).contains($0) }, "seed \(seed): \(alarms)")
        }
        var episode = Episode()
        #expect(episode.news(0.1) == 0.1)
        #expect(episode.news(0.1) == 0)
        #expect(episode.news(0.29) == 0)
        #expect(episode.news(0.88) == 0.88)
        for _ in 0..<35 { #expect(episode.news(0.5) == 0) }
        #expect(episode.news(0.5) == 0.5)
    }

    @Test("stationary noise warns as rarely as specified")
    func falseAlarms() {
        var warnings = 0
        var notable = 0
        for seed in UInt64(1)...8 {
            let found = scores(Series.gaussian(20_000, seed: 100 + seed))[1_000...]
            warnings += found.count { $0 >= EnvelopeDetector.warning }
            notable += found.count { $0 >= EnvelopeDetector.notable }
        }
        #expect(warnings <= 4)
        #expect((40...320).contains(notable), "22 per series expected, found \(Double(notable) / 8)")
    }

    @Test("a level step of six deviations is found within the hour")
    func steps() {
        var best: [Double] = []
        for seed in UInt64(1)...9 {
            var series = Series.gaussian(6_060, seed: 200 + seed)
            for index in 6_000..<6_060 { series[index] += 6 * 5 }
            best.append(scores(series)[6_000...].max()!)
        }
        #expect(best.sorted()[4] > 0.85, "\(best)")
    }

    @Test("after flatness, a change of a fifth of the resolution warns and a smaller one does not")
    func resolution() {
        func firstChange(_ change: Double, _ resolution: Double) -> Double {
            scores(Array(repeating: 0, count: 4_000) + [change], resolution: resolution).last!
        }
        #expect(firstChange(1e-3, 0) > 0.9)
        #expect(firstChange(50, 50) >= EnvelopeDetector.warning)
        #expect(firstChange(11, 50) >= EnvelopeDetector.warning)
        #expect(firstChange(3, 50) < EnvelopeDetector.warning)
        #expect(firstChange(0.1, 50) < EnvelopeDetector.notable)
    }

    @Test("values and times that cannot be taken are counted and skipped")
    func input() {
        let series = Series.gaussian(3_000, seed: 5)
        let clean = scores(series)
        var detector = EnvelopeDetector(resolution: 0)
        for (index, value) in series.enumerated() {
            let time = Self.start + Double(index) * 60
            for bad in [Double.nan, .infinity, -.infinity, 1e300] {
                #expect(detector.score(bad, atUnixSeconds: time) == 0)
            }
            #expect(detector.score(value, atUnixSeconds: time) == clean[index])
            #expect(detector.score(1e9, atUnixSeconds: time) == 0)
            #expect(detector.score(1e9, atUnixSeconds: time - 1) == 0)
            #expect(detector.score(value, atUnixSeconds: .nan) == 0)
        }
        #expect(detector.count == 3_000)
        #expect(detector.skipped == 3_000 * 7)
    }

    @Test("a restored state goes on bit by bit the same, wherever it was taken")
    func snapshot() throws {
        var series = Series.gaussian(16_000, seed: 6)
        for index in 12_000..<12_400 { series[index] *= 1.5 }
        let whole = scores(series)
        for cut in [0, 1, 49, 50, 99, 100, 1_441, 12_100] {
            var detector = EnvelopeDetector(resolution: 0)
            for index in 0..<cut { _ = detector.score(series[index], atUnixSeconds: Self.start + Double(index) * 60) }
            var restored = try EnvelopeDetector(state: detector.state)
            #expect(restored == detector)
            let rest = (cut..<series.count).map {
                restored.score(series[$0], atUnixSeconds: Self.start + Double($0) * 60)
            }
            #expect(rest.map(\.bitPattern) == whole[cut...].map(\.bitPattern), "cut \(cut)")
        }
    }

    @Test("the state has the same size after a thousand and after a million samples, and is small")
    func size() {
        var detector = EnvelopeDetector(resolution: 0)
        var sizes: [Int] = []
        var random = SeededGenerator(seed: 8)
        for index in 0..<1_000_000 {
            _ = detector.score(random.gaussian(), atUnixSeconds: Double(index) * 10)
            if index == 1_000 || index == 999_999 { sizes.append(detector.state.count) }
        }
        #expect(sizes[0] == sizes[1])
        #expect(sizes[0] + MemoryLayout<EnvelopeDetector>.size < 3 * 1024)
    }

    @Test("bytes that are no state are refused, and never trap")
    func brokenState() throws {
        var detector = EnvelopeDetector(resolution: 0.25)
        for index in 0..<300 { _ = detector.score(Double(index % 7), atUnixSeconds: Double(index) * 60) }
        let state = detector.state
        for length in 0..<state.count {
            #expect(throws: StateError.self) { try EnvelopeDetector(state: Array(state[..<length])) }
        }
        #expect(throws: StateError.length) { try EnvelopeDetector(state: state + [0]) }
        var random = SeededGenerator(seed: 9)
        for _ in 0..<5_000 {
            var broken = state
            for _ in 0..<4 {
                broken[Int.random(in: 8..<broken.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard var restored = try? EnvelopeDetector(state: broken) else { continue }
            for index in 0..<20 {
                let score = restored.score(Double(index), atUnixSeconds: 20_000 + Double(index) * 600)
                #expect(score >= 0 && score <= 1)
            }
        }
    }
}
