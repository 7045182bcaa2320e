/// The last so many outcomes: how many failed, how many were slow.
struct CountWindow: Sendable, Hashable {
    private struct Outcome: Sendable, Hashable {
        var hasFailed: Bool
        var isSlow: Bool
    }

    private var ring: [Outcome] = []
    private var next = 0
    private let size: Int
    private(set) var failures = 0
    private(set) var slow = 0

    init(size: Int) { self.size = size }

    var count: Int { ring.count }

    mutating func add(hasFailed: Bool, isSlow: Bool) {
        let outcome = Outcome(hasFailed: hasFailed, isSlow: isSlow)
        if ring.count < size {
            ring.append(outcome)
        } else {
            failures -= ring[next].hasFailed ? 1 : 0
            slow -= ring[next].isSlow ? 1 : 0
            ring[next] = outcome
            next = (next + 1) % size
        }
        failures += hasFailed ? 1 : 0
        slow += isSlow ? 1 : 0
    }
}

/// Counts over the last so many buckets of time.
struct TimeWindow: Sendable, Hashable {
    private var calls: [Int]
    private var failed: [Int]
    private var current: UInt64 = 0
    private let bucketNanoseconds: UInt64
    private(set) var count = 0
    private(set) var failures = 0

    init(buckets: Int, bucketNanoseconds: UInt64) {
        calls = Array(repeating: 0, count: buckets)
        failed = Array(repeating: 0, count: buckets)
        self.bucketNanoseconds = bucketNanoseconds
    }

    mutating func advance(to now: UInt64) {
        let bucket = now / bucketNanoseconds
        guard bucket > current else { return }
        for step in 1...min(bucket - current, UInt64(calls.count)) {
            let index = Int((current + step) % UInt64(calls.count))
            count -= calls[index]
            failures -= failed[index]
            calls[index] = 0
            failed[index] = 0
        }
        current = bucket
    }

    mutating func add(hasFailed: Bool, now: UInt64) {
        advance(to: now)
        let index = Int(current % UInt64(calls.count))
        calls[index] += 1
        count += 1
        if hasFailed {
            failed[index] += 1
            failures += 1
        }
    }

    mutating func clear() {
        for index in calls.indices { (calls[index], failed[index]) = (0, 0) }
        (count, failures) = (0, 0)
    }
}
