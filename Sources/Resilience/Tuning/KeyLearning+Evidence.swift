extension KeyLearning {
    /// What a decision of this moment would rest on: the numbers that explain the thresholds.
    public var evidence: ThresholdEvidence {
        tuner.evidence(baseline, slowQuantile: slowQuantile)
    }
}
