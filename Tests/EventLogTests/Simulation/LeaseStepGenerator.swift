import TestSupport

@testable import EventLog

/// One step of a simulated history of leases. Ids are meant by their place among those that the group has in its hands,
/// so that a step keeps its meaning when others are left out.
enum LeaseStep {
    case append(key: [UInt8], fields: EventFields, now: Int64)
    case configure(key: [UInt8], StreamSettings, now: Int64)
    case createGroup(key: [UInt8], group: [UInt8], now: Int64)
    case policy(key: [UInt8], group: [UInt8], LeasePolicy, now: Int64)
    case receive(key: [UInt8], group: [UInt8], consumer: [UInt8], limit: Int, lease: Int64?, now: Int64)
    case acknowledge(key: [UInt8], group: [UInt8], places: [Int], now: Int64)
    case reject(key: [UInt8], group: [UInt8], places: [Int], delay: Int64?, isFinal: Bool, now: Int64)
    case extend(key: [UInt8], group: [UInt8], consumer: [UInt8], places: [Int], lease: Int64, now: Int64)
    case nextDue(key: [UInt8], group: [UInt8], now: Int64)
    case letters(DeadLetterFilter, after: Int64, limit: Int)
    case edit(number: Int64, EventFields)
    case redrive(DeadLetterFilter, limit: Int, isDryRun: Bool, now: Int64)
    case purge(DeadLetterFilter, limit: Int)
    case replay(EventRange, to: [UInt8], limit: Int, now: Int64)
    case replayToGroup(EventRange, group: [UInt8], ReplayPace, limit: Int, now: Int64)
    case trim(key: [UInt8], length: Int64, now: Int64)
    case delete(key: [UInt8], place: Int, now: Int64)
    /// What is only in memory is lost.
    case reopen
}

/// Makes histories with few streams, groups, consumers and short times, so that leases end and steps meet.
struct LeaseStepGenerator {
    var generator: SeededGenerator
    private var now: Int64 = 100
    private let keys = ["a", "b"].map { Array($0.utf8) }
    private let groups = ["g", "h"].map { Array($0.utf8) }
    private let consumers = ["x", "y", "replay"].map { Array($0.utf8) }

    /// For how long and how many events repetitions are recognised. One window per history: what a narrow one has
    /// forgotten, a wider one does not know.
    private let window: (milliseconds: Int64, sizeMax: Int64)

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        window = (Int64(generator.below(40)), Int64(generator.below(4) + 1))
    }

    mutating func steps(_ count: Int) -> [LeaseStep] {
        (0..<count).map { _ in step() }
    }

    private mutating func step() -> LeaseStep {
        now += Int64(generator.once(in: 15) ? generator.below(200) : generator.below(4))
        switch generator.below(64) {
        case 0..<14: return .append(key: key(), fields: fields(), now: now)
        case 14..<16: return .configure(key: key(), settings(), now: now)
        case 16..<20: return .createGroup(key: key(), group: group(), now: now)
        case 20..<22: return .policy(key: key(), group: group(), policy(), now: now)
        case 22..<33:
            return .receive(
                key: key(), group: group(), consumer: consumer(), limit: generator.below(4) + 1,
                lease: generator.once(in: 2) ? Int64(generator.below(20)) : nil, now: now)
        case 33..<36: return .acknowledge(key: key(), group: group(), places: places(), now: now)
        case 36..<42:
            return .reject(
                key: key(), group: group(), places: places(),
                delay: generator.once(in: 2) ? Int64(generator.below(12)) - 1 : nil, isFinal: generator.once(in: 3),
                now: now)
        case 42..<44:
            return .extend(
                key: key(), group: group(), consumer: consumer(), places: places(), lease: Int64(generator.below(15)),
                now: now)
        case 44..<46: return .nextDue(key: key(), group: group(), now: now)
        case 46..<48: return .letters(filter(), after: Int64(generator.below(3)), limit: generator.below(5) + 1)
        case 48..<50: return .edit(number: Int64(generator.below(6)), fields())
        case 50..<54:
            return .redrive(filter(), limit: generator.below(4) + 1, isDryRun: generator.once(in: 4), now: now)
        case 54: return .purge(filter(), limit: generator.below(2) + 1)
        case 55..<57: return .replay(range(), to: key(), limit: generator.below(3) + 1, now: now)
        case 57..<60:
            return .replayToGroup(
                range(), group: group(), generator.pick([.atOnce, .original, .faster(4)]),
                limit: generator.below(4) + 1, now: now)
        case 60: return .trim(key: key(), length: Int64(generator.below(6)), now: now)
        case 61..<63: return .delete(key: key(), place: generator.below(6), now: now)
        default: return .reopen
        }
    }

    private mutating func key() -> [UInt8] { generator.pick(keys) }
    private mutating func group() -> [UInt8] { generator.pick(groups) }
    private mutating func consumer() -> [UInt8] { generator.pick(consumers) }
    private mutating func places() -> [Int] { (0...generator.below(2)).map { _ in generator.below(5) } }

    private mutating func fields() -> EventFields {
        var fields = EventFields()
        fields.append(name: "n".utf8, value: [UInt8(generator.below(200))])
        if generator.once(in: 2) { fields.append(name: "key".utf8, value: [UInt8(generator.below(4))]) }
        return fields
    }

    private mutating func settings() -> StreamSettings {
        StreamSettings(
            deduplication: generator.once(in: 4) ? .none : .field(Array("key".utf8)),
            deduplicationMilliseconds: window.milliseconds, deduplicationSizeMax: window.sizeMax,
            compressionBytesMin: generator.once(in: 3) ? 1 : nil)
    }

    private mutating func policy() -> LeasePolicy {
        LeasePolicy(
            leaseMilliseconds: Int64(generator.below(20) + 1),
            backoff: generator.once(in: 2)
                ? .list((0..<generator.below(3)).map { _ in Int64(generator.below(10)) })
                : .exponential(first: Int64(generator.below(5)), factor: 2, max: 20),
            deliveriesMax: generator.once(in: 4) ? nil : Int64(generator.below(3) + 1))
    }

    private mutating func filter() -> DeadLetterFilter {
        var filter = DeadLetterFilter()
        if generator.once(in: 3) { filter.stream = key() }
        if generator.once(in: 3) { filter.group = group() }
        if generator.once(in: 4) { filter.reason = generator.pick(DeadLetterReason.allCases) }
        if generator.once(in: 5) { filter.deadAt = (now - Int64(generator.below(40)))...now }
        if generator.once(in: 5) { filter.numbers = (0...generator.below(2)).map { _ in Int64(generator.below(6)) } }
        return filter
    }

    private mutating func range() -> EventRange {
        EventRange(
            stream: key(), start: .offset(Int64(generator.below(8) + 1)),
            lastOffset: generator.once(in: 2) ? Int64(generator.below(15) + 1) : nil)
    }
}
