import Resilience

extension CallTally {
    /// Adds what one lane has counted since an earlier reading.
    mutating func add(_ totals: GuardTotals, since last: GuardTotals) {
        if totals.calls != last.calls, totals.sample > 0 { sampleSeconds = Double(totals.sample) / 1e9 }
        calls += Int(clamping: totals.calls &- last.calls)
        slow += Int(clamping: totals.slow &- last.slow)
        logSum += totals.logSum - last.logSum
        logSquares += totals.logSquares - last.logSquares
        clientMistakes += Int(clamping: totals.mistakes &- last.mistakes)
        // A probe that nobody can judge is taken back, perhaps in a later beat.
        probesBegun += Int(truncatingIfNeeded: totals.probesBegun &- last.probesBegun)
        probeSuccesses += Int(clamping: totals.probeSuccesses &- last.probeSuccesses)
        probeFailures += Int(clamping: totals.probeFailures &- last.probeFailures)
        rejectedByUs += Int(clamping: totals.rejected &- last.rejected)
        for failure in FailureClass.allCases {
            let index = Int(failure.rawValue)
            failures[failure] += Int(clamping: totals.failures[index] &- last.failures[index])
        }
    }
}
