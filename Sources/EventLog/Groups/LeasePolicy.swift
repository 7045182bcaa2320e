/// How a group redelivers what was not acknowledged.
public struct LeasePolicy: Sendable, Hashable {
    /// How long to wait before the next attempt.
    public enum Backoff: Sendable, Hashable {
        /// After the first attempt the first of these, and so on; the last repeats. In milliseconds.
        case list([Int64])
        /// After the first attempt `first`, then each time `factor` as long, at most `max`. In milliseconds.
        case exponential(first: Int64, factor: Double, max: Int64)
    }

    /// How long a consumer has before an event is given to another, in milliseconds.
    public var leaseMilliseconds: Int64
    /// Waiting after a nack without a delay of its own.
    public var backoff: Backoff
    /// Attempts before an event becomes a dead letter; nil for no end.
    public var deliveriesMax: Int64?

    /// Thirty seconds, five attempts, one second doubling up to a minute.
    public init(
        leaseMilliseconds: Int64 = 30_000, backoff: Backoff = .exponential(first: 1_000, factor: 2, max: 60_000),
        deliveriesMax: Int64? = 5
    ) {
        self.leaseMilliseconds = leaseMilliseconds
        self.backoff = backoff
        self.deliveriesMax = deliveriesMax
    }

    /// The wait after so many attempts.
    public func delayMilliseconds(afterDeliveries deliveries: Int64) -> Int64 {
        let attempt = max(deliveries, 1)
        switch backoff {
        case .list(let delays):
            guard let last = delays.last else { return 0 }
            return attempt <= delays.count ? delays[Int(attempt) - 1] : last
        case .exponential(let first, let factor, let most):
            var delay = Double(first)
            // Multiplied one by one, so that a bound is met before the number is beyond what an integer holds.
            for _ in 1..<min(attempt, 64) where delay < Double(most) { delay *= factor }
            return min(Int64(min(delay, 9e15)), most)
        }
    }
}

extension LeasePolicy {
    /// As the table keeps it: `lease=30000 max=5 list=1000,2000` or `exponential=1000,2.0,60000`.
    var encoded: [UInt8] {
        var text = "lease=\(leaseMilliseconds)"
        if let deliveriesMax { text += " max=\(deliveriesMax)" }
        switch backoff {
        case .list(let delays): text += " list=" + delays.map(String.init).joined(separator: ",")
        case .exponential(let first, let factor, let most): text += " exponential=\(first),\(factor),\(most)"
        }
        return Array(text.utf8)
    }

    /// The inverse; what is missing or makes no sense has its usual value.
    init(encoded: [UInt8]) {
        self.init(deliveriesMax: nil)
        for setting in String(decoding: encoded, as: UTF8.self).split(separator: " ") {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            let values = parts[1].split(separator: ",")
            switch parts[0] {
            case "lease": leaseMilliseconds = Int64(parts[1]) ?? leaseMilliseconds
            case "max": deliveriesMax = Int64(parts[1])
            case "list": backoff = .list(values.compactMap { Int64($0) })
            case "exponential" where values.count == 3:
                if let first = Int64(values[0]), let factor = Double(values[1]), let most = Int64(values[2]) {
                    backoff = .exponential(first: first, factor: factor, max: most)
                }
            default: continue
            }
        }
    }
}
