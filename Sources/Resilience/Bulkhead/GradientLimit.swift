/// How many calls may be under way at once, adapted to what the destination bears.
///
/// The gradient of long-term to recent latency (Netflix concurrency-limits, Gradient2): while calls take as long as
/// usual the limit grows by a small allowance for queueing, when they take longer it shrinks, never to less than half
/// in one step and never outside the operator's floor and ceiling. Latency is the geometric mean, so a single outlier
/// does not move it.
public struct GradientLimit: Sendable, Hashable {
    private static let tolerance = 1.5
    private static let smoothing = 0.2
    private static let queue = 4.0
    private static let longHalfLifeSeconds = 60.0
    /// Below this share of use the limit was not what held calls back, so growing it would be guessing.
    private static let useShareMin = 0.5

    private let bounds: ClosedRange<Int>
    private var limit: Double
    private var usual: Double?
    private var calls = 0
    private var logSum = 0.0
    private var peak = 0

    /// A limit that begins in the middle of its bounds, by ratio.
    public init(bounds: ClosedRange<Int>) {
        precondition(bounds.lowerBound >= 1, "at least one call must be possible")
        self.bounds = bounds
        limit = (Double(bounds.lowerBound) * Double(bounds.upperBound)).squareRoot()
    }

    /// Whole calls, inside the bounds.
    public var value: Int { min(max(Int(limit), bounds.lowerBound), bounds.upperBound) }

    /// Takes the calls of one beat.
    public mutating func add(_ tally: CallTally) {
        calls += tally.calls
        logSum += tally.logSum
        peak = max(peak, tally.inFlightPeak)
    }

    /// Most calls of a beat were slow while several were under way: that may be our load and not the destination's
    /// fault, so half of what was under way may be from now on. False if that is no relief: with less than twice the
    /// floor under way, it is not the load.
    mutating func relieve(_ tally: CallTally) -> Bool {
        guard tally.slow > 0, tally.slow * 2 >= tally.calls, tally.inFlightPeak >= 2 * bounds.lowerBound else {
            return false
        }
        limit = max(Double(bounds.lowerBound), min(limit, Double(tally.inFlightPeak)) / 2)
        return true
    }

    /// Once a second: adapts the limit to the calls since the last step.
    public mutating func step() {
        defer { (calls, logSum, peak) = (0, 0, 0) }
        guard calls > 0 else { return }
        let recent = Elementary.exp(logSum / Double(calls))
        guard let long = usual else {
            usual = recent
            return
        }
        let weight = 1 - Elementary.power(0.5, 1 / Self.longHalfLifeSeconds)
        // What is usual follows a recovery quickly: otherwise the limit would grow far after an overload.
        usual = long > 2 * recent ? long * 0.95 : long + weight * (recent - long)
        guard Double(peak) >= Self.useShareMin * limit || recent > Self.tolerance * long else { return }
        let gradient = (Self.tolerance * long / recent).clamped(to: 0.5...1)
        let wanted = limit * gradient + Self.queue
        limit = ((1 - Self.smoothing) * limit + Self.smoothing * wanted)
            .clamped(to: Double(bounds.lowerBound)...Double(bounds.upperBound))
    }
}
