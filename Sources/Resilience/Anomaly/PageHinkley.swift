/// The Page–Hinkley test: whether the mean of a series has risen, as a running sum of what exceeds the running mean, over
/// the least that this sum has been.
///
/// The series is standardised, so that one `tolerance` (0.5) and one `threshold` (10) fit all. On white noise an alarm
/// comes about every 140,000 values by chance (Siegmund's approximation of CUSUM run lengths).
public struct PageHinkley: Sendable, Hashable {
    /// What a value may exceed the mean by without counting.
    public static let tolerance = 0.5
    /// The rise of the sum over its minimum that is an alarm.
    public static let threshold = 10.0

    /// The mean of the values so far.
    public private(set) var mean = 0.0
    private var count: UInt32 = 0
    /// The sum over its minimum: it begins anew at zero instead of sinking without end.
    private var height = 0.0

    /// A test that has seen nothing.
    public init() {}

    /// Takes a value and says whether the mean has risen.
    public mutating func hasRisen(_ value: Double) -> Bool {
        if count < .max { count += 1 }
        mean += (value - mean) / Double(count)
        height = max(0, height + value - mean - Self.tolerance)
        return height > Self.threshold
    }
}

/// Whether a series that has left its level has settled on another: first Page–Hinkley must find the shift, then find
/// no further one, up or down, for `settleSeconds` values in units of the new level's own spread.
///
/// What ends a learning freeze that has lasted too long: a destination that stays three times slower is the new normal,
/// one that gets slower and slower, or goes up and down, is not.
struct RegimeShift: Sendable, Hashable {
    /// Values without a further shift.
    static let settleSeconds: UInt32 = 300
    /// Values from which the new level's spread is taken.
    private static let levelValues: UInt32 = 30
    /// Residuals beyond this are equally far.
    private static let residualLimit = 50.0

    private(set) var isFound = false
    private var shift = PageHinkley()
    private var level = 0.0
    private var squares = 0.0
    private var count: UInt32 = 0
    private var rising = PageHinkley()
    private var falling = PageHinkley()

    /// The shift was found and the new level has held.
    var isConfirmed: Bool { isFound && count >= Self.settleSeconds }

    /// Takes the standardised residual of a tick. While the new level is being learned (`isLearned`), residuals shrink
    /// for that reason, and only a rise is a further shift.
    mutating func add(_ residual: Double, isLearned: Bool) {
        let value = residual.clamped(to: -Self.residualLimit...Self.residualLimit)
        guard isFound else {
            if shift.hasRisen(value) { isFound = true }
            return
        }
        if count >= Self.levelValues {
            let spread = max((squares / Double(count)).squareRoot(), 0.5)
            let score = ((value - level) / spread).clamped(to: -4...4)
            let up = rising.hasRisen(score)
            let down = falling.hasRisen(-score)
            if up || down && !isLearned { forgetLevel() }
        }
        if count < .max { count += 1 }
        let difference = value - level
        level += difference / Double(count)
        squares += difference * (value - level)
    }

    private mutating func forgetLevel() {
        (level, squares, count) = (0, 0, 0)
        (rising, falling) = (PageHinkley(), PageHinkley())
    }
}
