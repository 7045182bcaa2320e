import Pipeline
import Resilience

/// What is unusual about how one group consumes a destination: the time in the queue, and the share of redeliveries.
///
/// Detector B, a sample a minute. It warns and shows; no breaker opens because consumers are slow.
struct ConsumerWatch {
    /// What detector B says of the last minute, 0 to 1.
    private(set) var queueScore = 0.0
    private(set) var redeliveryScore = 0.0

    private static let minuteNanoseconds: UInt64 = 60_000_000_000
    /// A change of a fifth of these after perfect flatness is worth a warning: log of the queue time, share.
    private var queueDetector = EnvelopeDetector(resolution: 1)
    private var redeliveryDetector = EnvelopeDetector(resolution: 0.25)
    private var last = Consumption()
    private var nextAt: UInt64 = 0

    /// Looks once a minute. Returns a warning in words, if there is one.
    mutating func beat(_ total: @autoclosure () -> Consumption, now: UInt64, unixSeconds: Double) -> String? {
        guard now >= nextAt else { return nil }
        nextAt = now &+ Self.minuteNanoseconds
        let total = total()
        let minute = total.since(last)
        last = total
        (queueScore, redeliveryScore) = (0, 0)
        if minute.queueTimes > 0 {
            queueScore = queueDetector.score(
                minute.queueLogSum / Double(minute.queueTimes), atUnixSeconds: unixSeconds)
        }
        if minute.deliveries > 0 {
            redeliveryScore = redeliveryDetector.score(
                Double(minute.redeliveries) / Double(minute.deliveries), atUnixSeconds: unixSeconds)
        }
        guard max(queueScore, redeliveryScore) >= EnvelopeDetector.warning else { return nil }
        return queueScore >= redeliveryScore
            ? "messages wait unusually long or short in the queue"
            : "unusually many or few messages are delivered again"
    }
}
