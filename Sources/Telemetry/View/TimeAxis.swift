/// Where moments of a trace stand on a line, and the round moments between its ends.
struct TimeAxis {
    let durationNanoseconds: UInt64
    /// Where the line begins, and how long it is, in pixels.
    let origin: Double
    let width: Double

    /// The place of a moment, never beyond the ends.
    func position(_ nanoseconds: UInt64) -> Double {
        guard durationNanoseconds > 0 else { return origin }
        return origin + width * min(1, Double(nanoseconds) / Double(durationNanoseconds))
    }

    /// Steps of 1, 2 or 5 times a power of ten; four to ten of them.
    var ticks: [UInt64] {
        guard durationNanoseconds > 0 else { return [0] }
        var unit: UInt64 = 1
        while durationNanoseconds / unit >= 50 { unit *= 10 }
        let steps = [unit, 2 * unit, 5 * unit]
        let step = steps.first { durationNanoseconds / $0 <= 9 } ?? steps[2]
        return Array(stride(from: 0, through: durationNanoseconds, by: Int(step)))
    }
}
