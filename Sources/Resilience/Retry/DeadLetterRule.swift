/// When a message has been delivered too often to be delivered again, judged by the broker's own count.
///
/// A consumer that crashes never increments a counter of its own. Deliveries while the breaker is not closed do not
/// count: otherwise an outage would empty the stream into the dead letters. And when dead letters become many, it is
/// the consumer or the schema that is broken and not the messages: then nothing is moved any more.
public struct DeadLetterRule: Sendable, Hashable {
    /// Deliveries that count, after which a message is dead.
    public var deliveriesMax = 5
    /// The share of dead letters among deliveries from which on nothing more is moved.
    public static let brakeShare = 0.05
    private static let brakeSeconds = 60.0
    private static let brakeDeliveriesMin = 20.0

    private var deliveries = 0.0
    private var deadLetters = 0.0
    private var last: UInt64 = 0

    /// A rule that has seen nothing.
    public init(deliveriesMax: Int = 5) { self.deliveriesMax = max(1, deliveriesMax) }

    /// What to do with a message.
    public enum Verdict: Sendable, Hashable {
        /// Deliver it again.
        case deliver
        /// It is dead.
        case deadLetter
        /// It would be, but too many are: stop, and tell somebody.
        case brake
    }

    /// So many messages were delivered: what dead letters are a share of.
    public mutating func delivered(_ count: Int, now: UInt64) {
        fade(now)
        deliveries += Double(max(0, count))
    }

    /// Judges a message that the broker has delivered `count` times to no effect, `uncounted` of them while a breaker was
    /// not closed. `isPoison` is a message that cannot be decoded, or that a consumer has said to be dead.
    public mutating func judge(count: Int, uncounted: Int, isPoison: Bool = false, now: UInt64) -> Verdict {
        fade(now)
        guard isPoison || count - max(0, uncounted) >= deliveriesMax else { return .deliver }
        guard deliveries < Self.brakeDeliveriesMin || deadLetters + 1 <= Self.brakeShare * deliveries else {
            return .brake
        }
        deadLetters += 1
        return .deadLetter
    }

    /// Counts fade with a half-life of a minute.
    private mutating func fade(_ now: UInt64) {
        let elapsed = now > last ? Double(now - last) / 1e9 : 0
        last = max(last, now)
        let kept = Elementary.power(0.5, elapsed / Self.brakeSeconds)
        deliveries *= kept
        deadLetters *= kept
    }
}
