/// Taking back what made things worse.
extension Tuner {
    private static let widening = 1.1

    /// The breaker opened and the first probes all succeeded at once, with no other evidence of a fault: probably the
    /// thresholds were too tight. Undoes the last tightening, if it is younger than an hour and still in force, widens
    /// the deviations by a tenth, and does not tighten again for a while.
    public mutating func rollBack(_ baseline: Baseline, context: TunerContext) -> [ThresholdChange] {
        deviations = min(ThresholdFormulas.deviationsMax, deviations * Self.widening)
        heldUntil = context.now &+ Self.holdNanoseconds
        guard let last = lastTightening, context.now < last.at &+ Self.hourNanoseconds else { return [] }
        var (newApplied, newLearned) = (applied, learned)
        for parameter in BreakerParameter.allCases {
            guard let before = last[parameter], isLooser(before, than: learned[parameter], parameter) else { continue }
            let allowed = before.clamped(to: policy.range(of: parameter))
            newLearned[parameter] = policy.bounds.clamp(allowed, parameter)
            if !context.isShadow, applied[parameter] == learned[parameter] {
                newApplied[parameter] = newLearned[parameter]
            }
        }
        return replace(applied: newApplied, learned: newLearned, actor: .rollback, baseline, context)
    }
}
