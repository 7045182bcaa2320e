/// How many calls may be under way at once, adapted to what the destination bears.
///
/// By the gradient of bearable to recent latency (after Netflix concurrency-limits, Gradient2): while calls take less
/// than is bearable the limit grows by an allowance, about half its square root; when they take longer it shrinks
/// towards the gradient, never by more than a tenth in one step and never outside its bounds. Bearable is half as much
/// again as usual, or, once that is known, what is not yet slow: a queue that nobody minds keeps the destination busy.
/// Latency is the geometric mean, so a single outlier does not move it.
public struct GradientLimit: Sendable, Hashable {
    private static let tolerance = 1.5
    /// The part of the slow-call duration that is bearable as the mean of all calls.
    private static let slowPart = 0.9
    private static let smoothing = 0.2
    private static let allowance = 0.5
    private static let longHalfLifeSeconds = 60.0
    /// Below this share of use the limit was not what held calls back, so growing it would be guessing.
    private static let useShareMin = 0.5

    private let bounds: ClosedRange<Int>
    private var limit: Double
    private var usual: Double?
    private var calls = 0
    private var logSum = 0.0
    /// The most calls under way since the last step.
    private(set) var peak = 0

    /// A limit that begins in the middle of its bounds, by ratio, or at `start`.
    public init(bounds: ClosedRange<Int>, start: Double? = nil) {
        precondition(bounds.lowerBound >= 1, "at least one call must be possible")
        self.bounds = bounds
        limit = (start ?? (Double(bounds.lowerBound) * Double(bounds.upperBound)).squareRoot())
            .clamped(to: Double(bounds.lowerBound)...Double(bounds.upperBound))
    }

    /// The most that it may become.
    var ceiling: Int { bounds.upperBound }

    /// Whole calls, inside the bounds.
    public var value: Int { min(max(Int(limit), bounds.lowerBound), bounds.upperBound) }

    /// Takes the calls of one beat.
    public mutating func add(_ tally: CallTally) {
        calls += tally.calls
        logSum += tally.logSum
        peak = max(peak, tally.inFlightPeak)
    }

    /// Once a second: adapts the limit to the calls since the last step. `usualSeconds` is what a call takes in good
    /// times and `slowSeconds` from when on it is slow; where nobody knows, the limit finds what is usual by itself.
    public mutating func step(usualSeconds: Double? = nil, slowSeconds: Double? = nil) {
        defer { (calls, logSum, peak) = (0, 0, 0) }
        guard calls > 0 else { return }
        let recent = Elementary.exp(logSum / Double(calls))
        guard let long = usualSeconds ?? usual else {
            usual = recent
            return
        }
        let weight = 1 - Elementary.power(0.5, 1 / Self.longHalfLifeSeconds)
        // What is usual follows a recovery quickly: otherwise the limit would grow far after an overload.
        usual = long > 2 * recent ? long * 0.95 : long + weight * (recent - long)
        let bearable = max(Self.tolerance * long, Self.slowPart * (slowSeconds ?? 0))
        guard Double(peak) >= Self.useShareMin * limit || recent > bearable else { return }
        let gradient = (bearable / recent).clamped(to: 0.5...1)
        let change =
            gradient < 1 ? Self.smoothing * limit * (gradient - 1) : max(1, Self.allowance * limit.squareRoot())
        limit = (limit + change).clamped(to: Double(bounds.lowerBound)...Double(bounds.upperBound))
    }
}
