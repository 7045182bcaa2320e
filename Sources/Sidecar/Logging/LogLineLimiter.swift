/// Decides which log lines are written when something outside, such as a peer, can cause any number of them.
///
/// One token bucket per kind of line: `burst` lines at once, then `linesPerSecond`. Kinds beyond `kindsMaximum` share
/// one bucket, so that memory is bounded whatever a kind is made of.
public struct LogLineLimiter<Kind: Hashable & Sendable>: Sendable {
    /// What happens to one line.
    public enum Permit: Sendable, Equatable {
        /// Write it; so many of its kind were suppressed since the last one that was written.
        case write(suppressedBefore: UInt64)
        /// Count it, and do not write it.
        case suppress
    }

    private struct Bucket {
        /// In nanoseconds of saved-up time; a line costs `lineNanoseconds`.
        var credit: UInt64
        var refilledAt: UInt64
        var suppressed: UInt64 = 0
    }

    private let lineNanoseconds: UInt64
    private let creditMaximum: UInt64
    private let kindsMaximum: Int
    /// The bucket of the key nil is the shared one.
    private var buckets: [Kind?: Bucket] = [:]

    /// - Parameters:
    ///   - linesPerSecond: 1...1,000,000; values outside are brought inside.
    ///   - burst: lines that may come at once, 1...1,000,000; values outside are brought inside.
    public init(linesPerSecond: Int = 1, burst: Int = 20, kindsMaximum: Int = 512) {
        lineNanoseconds = 1_000_000_000 / UInt64(min(max(linesPerSecond, 1), 1_000_000))
        creditMaximum = lineNanoseconds * UInt64(min(max(burst, 1), 1_000_000))
        self.kindsMaximum = kindsMaximum
    }

    /// Judges a line of `kind` at `now`, in nanoseconds of a monotonic clock; a clock that steps back refills nothing.
    public mutating func permits(kind: Kind, now: UInt64) -> Permit {
        let key: Kind? = buckets[kind] != nil || buckets.count < kindsMaximum ? kind : nil
        var bucket = buckets[key] ?? Bucket(credit: creditMaximum, refilledAt: now)
        let elapsed = now > bucket.refilledAt ? min(now - bucket.refilledAt, creditMaximum) : 0
        bucket.credit = min(bucket.credit + elapsed, creditMaximum)
        bucket.refilledAt = max(bucket.refilledAt, now)
        defer { buckets[key] = bucket }
        guard bucket.credit >= lineNanoseconds else {
            bucket.suppressed += 1
            return .suppress
        }
        let suppressed = bucket.suppressed
        bucket.credit -= lineNanoseconds
        bucket.suppressed = 0
        return .write(suppressedBefore: suppressed)
    }
}
