import Foundation
import TestSupport
import Testing

@testable import Resilience

/// Page–Hinkley, peaks over threshold and the trend forecast.
@Suite struct ChangeDetectionTests {
    @Test("Page–Hinkley finds a shift of two deviations within a dozen values and little else")
    func pageHinkley() {
        var random = SeededGenerator(seed: 1)
        var test = PageHinkley()
        let alarms = (0..<5_000).count { _ in test.hasRisen(random.gaussian()) }
        #expect(alarms == 0)
        var needed = 0
        repeat { needed += 1 } while !test.hasRisen(2 + random.gaussian()) && needed < 100
        #expect(needed <= 20, "\(needed)")
        var falling = PageHinkley()
        let falls = (0..<2_000).count { falling.hasRisen(random.gaussian() - ($0 > 1_000 ? 2 : 0)) }
        #expect(falls == 0)
    }

    @Test("the exceedance of the fitted quantile is the accepted risk", arguments: [0.3, 0.5, 0.8])
    func normalTail(sigma: Double) {
        var random = SeededGenerator(seed: 2)
        var peaks = PeaksOverThreshold()
        for _ in 0..<999 { peaks.learn(logRatio: sigma * random.gaussian(), present: nil) }
        #expect(peaks.quantile == nil)
        for _ in 0..<50_000 { peaks.learn(logRatio: sigma * random.gaussian(), present: nil) }
        // One in a thousand of a normal distribution lies beyond 3.09 deviations.
        #expect(abs(peaks.quantile! / sigma - 3.09) < 0.25, "\(peaks.quantile! / sigma)")
    }

    @Test("a heavy tail gets a higher quantile")
    func heavyTail() {
        var random = SeededGenerator(seed: 3)
        var peaks = PeaksOverThreshold()
        // Pareto latency with index 2: its logarithm is exponential with mean one half.
        for _ in 0..<100_000 {
            peaks.learn(
                logRatio: -0.5 * log(Double.random(in: 0x1p-53..<1, using: &random)) - 0.5, present: nil)
        }
        #expect(abs(peaks.quantile! - (0.5 * log(1_000) - 0.5)) < 0.35, "\(peaks.quantile!)")
    }

    @Test("what lies beyond the present quantile is not learned, and old counts fade")
    func bounded() {
        var random = SeededGenerator(seed: 4)
        var peaks = PeaksOverThreshold()
        for _ in 0..<5_000 { peaks.learn(logRatio: 0.5 * random.gaussian(), present: nil) }
        let before = peaks.quantile!
        for _ in 0..<5_000 { peaks.learn(logRatio: 4, present: before) }
        #expect(peaks.quantile == before)
        for value in [Double.nan, .infinity] { peaks.learn(logRatio: value, present: nil) }
        var many = PeaksOverThreshold()
        for _ in 0..<400_000 { many.learn(logRatio: 0.3 * random.gaussian(), present: nil) }
        #expect((90_000...200_000).contains(many.count), "\(many.count)")
    }

    @Test("a rising signal is told with the time that is left; noise is not")
    func forecast() {
        var random = SeededGenerator(seed: 5)
        var forecast = TrendForecast()
        var alarms = 0
        for _ in 0..<2_000 {
            forecast.add(0.1 * random.gaussian())
            if forecast.isRising { alarms += 1 }
        }
        #expect(alarms < 40, "\(alarms)")
        // Log latency that grows by 0.02 per tick of ten seconds: a doubling in six minutes.
        var ticks = 0
        while forecast.breach(of: 2)?.isNear != true, ticks < 200 {
            ticks += 1
            forecast.add(0.02 * Double(ticks) + 0.05 * random.gaussian())
        }
        let breach = forecast.breach(of: 2)!
        #expect(ticks < 100)
        #expect(breach.score >= 3 && breach.confidence > 0.99)
        #expect(breach.earliestSeconds <= breach.seconds && breach.seconds < 300)
        #expect(breach.keptShare >= 0.25 && breach.keptShare < 1)
        #expect(forecast.breach(of: 1e9)!.isNear == false)
        #expect(forecast.breach(of: 1e9)!.keptShare == 1)
        #expect(forecast.breach(of: forecast.level - 1)!.seconds == 0)
    }

    @Test("a constant and a falling signal do not rise")
    func flat() {
        var constant = TrendForecast()
        var falling = TrendForecast()
        for tick in 0..<500 {
            constant.add(5)
            falling.add(-Double(tick))
            constant.add(.nan)
            #expect(constant.breach(of: 6) == nil && falling.breach(of: 6) == nil)
        }
    }

    @Test("a queue is full when the difference of the rates has filled the rest of it")
    func queue() {
        func seconds(_ arrivals: Double) -> Double? {
            TrendForecast.secondsUntilFull(
                depth: 400, capacity: 1_000, arrivalsPerSecond: arrivals, servedPerSecond: 20)
        }
        #expect(seconds(30) == 60)
        #expect(seconds(20) == nil)
        #expect(seconds(10) == nil)
    }
}
