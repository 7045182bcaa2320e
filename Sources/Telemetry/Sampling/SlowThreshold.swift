/// Tells the messages of one destination apart that take longer than 99 % of their kind.
///
/// Durations are counted in buckets of an eighth of an octave, so the limit is at most 12.5 % above the true
/// percentile and never below it. Old durations fade: when there are enough, all counts are halved.
public struct SlowThreshold: Sendable {
    /// Durations above this are slow; `UInt64.max` while too little is known.
    public private(set) var nanoseconds = UInt64.max
    private var counts: [UInt32] = []
    private var total: UInt32 = 0
    private var fresh: UInt32 = 0

    /// Durations before a percentile of 1 in 100 means anything.
    static let samplesMin: UInt32 = 500
    private static let samplesMax: UInt32 = 1 << 16
    private static let bucketCount = 42 * 8

    /// Nothing is slow yet.
    public init() {}

    /// Counts one duration. Allocates only for the first.
    @inline(__always)
    public mutating func record(_ nanoseconds: UInt64) {
        if counts.isEmpty { counts = Array(repeating: 0, count: Self.bucketCount) }
        counts[Self.bucket(of: nanoseconds)] &+= 1
        total &+= 1
        fresh &+= 1
    }

    /// Follows what was recorded since the last call. Called at interval edges.
    public mutating func refresh() {
        guard fresh > 0, total >= Self.samplesMin else { return }
        fresh = 0
        var beyond = total / 100
        var bucket = Self.bucketCount - 1
        while bucket > 0, counts[bucket] <= beyond {
            beyond -= counts[bucket]
            bucket -= 1
        }
        nanoseconds = Self.largest(in: bucket)
        guard total >= Self.samplesMax else { return }
        total = 0
        for index in counts.indices {
            counts[index] /= 2
            total += counts[index]
        }
    }

    /// Three bits below the leading one choose within the octave; below 8 ns all are alike.
    static func bucket(of nanoseconds: UInt64) -> Int {
        let value = max(nanoseconds, 8)
        let shift = 60 - value.leadingZeroBitCount
        return min(shift * 8 + Int(truncatingIfNeeded: value >> UInt64(shift)) - 8, bucketCount - 1)
    }

    static func largest(in bucket: Int) -> UInt64 {
        guard bucket < bucketCount - 1 else { return .max }
        return UInt64(bucket % 8 + 9) << UInt64(bucket / 8) - 1
    }
}
