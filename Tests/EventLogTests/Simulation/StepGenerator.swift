import EventLog
import TestSupport

/// One step of a simulated history.
enum SimulatedStep {
    /// Commands that happen together.
    case unit([StreamCommand], now: UInt64)
    /// A revision is read, other commands happen, and then a unit that depends on the revision.
    case conditional(key: [UInt8], between: [StreamCommand], then: [StreamCommand], now: UInt64)
    /// All names, in pieces.
    case scan(count: Int, pattern: [UInt8]?, now: UInt64)
    /// What is only in memory is lost.
    case reopen
}

/// Makes histories: few streams, groups, consumers and ids, so that commands meet each other's traces often.
struct StepGenerator {
    var generator: SeededGenerator
    private var now: UInt64 = 3
    private let keys = ["a", "b", "ab"].map { Array($0.utf8) }
    private let groups = ["g", "h"].map { Array($0.utf8) }
    private let consumers = ["x", "y", "z"].map { Array($0.utf8) }

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func steps(_ count: Int) -> [SimulatedStep] {
        (0..<count).map { _ in step() }
    }

    private mutating func step() -> SimulatedStep {
        now += UInt64(generator.once(in: 20) ? generator.below(2_000) : generator.below(3))
        switch generator.below(40) {
        case 0: return .reopen
        case 1:
            return .scan(
                count: generator.below(3) + 1, pattern: generator.once(in: 2) ? Array("a*".utf8) : nil, now: now)
        case 2, 3:
            return .conditional(
                key: key(), between: generator.once(in: 2) ? [command()] : [], then: [command()], now: now)
        case 4: return .unit((0..<generator.below(5)).map { _ in command() }, now: now)
        default: return .unit([command()], now: now)
        }
    }

    private mutating func command() -> StreamCommand {
        switch generator.below(60) {
        case 0..<16: .append(append())
        case 16..<19: .createGroup(creation())
        case 19..<29: .readGroup(groupRead())
        case 29..<33: .acknowledge(key: key(), group: group(), ids: ids())
        case 33..<35: .claim(claim())
        case 35..<37: .autoClaim(autoClaim())
        case 37..<39: .delete(key: key(), ids: ids())
        case 39: .deleteWithReferences(key: key(), ids: ids(), references: references())
        case 40: .acknowledgeAndDelete(key: key(), group: group(), ids: ids(), references: references())
        case 41: .trim(key: key(), trim(), references: references())
        case 42..<45: .range(range())
        case 45: .read(StreamRead(streams: [(key(), position()), (key(), position())], count: limit()))
        case 46..<48: .pending(pendingRange())
        case 48: .pendingSummary(key: key(), group: group())
        case 49: .streamInfo(key: key())
        case 50: .fullInfo(key: key(), count: limit())
        case 51: .groupsInfo(key: key())
        case 52: .consumersInfo(key: key(), group: group())
        case 53: groupCommand()
        case 54: setID()
        case 55: .configureIdempotency(key: key(), durationSeconds: limit(), sizeMax: limit())
        case 56: .length(key: key())
        default: .keys(keyCommand())
        }
    }

    private mutating func key() -> [UInt8] { generator.pick(keys) }
    private mutating func group() -> [UInt8] { generator.pick(groups) }
    private mutating func consumer() -> [UInt8] { generator.pick(consumers) }
    private mutating func limit() -> Int? { generator.once(in: 3) ? nil : generator.below(4) + 1 }

    /// Near what automatic ids are now, or low, or an end.
    private mutating func id() -> StreamID {
        switch generator.below(12) {
        case 0: .zero
        case 1: .max
        case 2...4: StreamID(UInt64(generator.below(6)), UInt64(generator.below(3)))
        default: StreamID(now - min(now, UInt64(generator.below(12))), UInt64(generator.below(3)))
        }
    }

    private mutating func ids() -> [StreamID] { (0...generator.below(3)).map { _ in id() } }

    private mutating func references() -> ReferencePolicy { generator.pick([.keep, .delete, .acknowledged]) }

    private mutating func fields() -> EventFields {
        var fields = EventFields()
        for _ in 0...generator.below(2) {
            fields.append(name: [UInt8(generator.below(3))], value: [UInt8](repeating: 7, count: generator.below(4)))
        }
        return fields
    }

    private mutating func append() -> StreamAppend {
        var append = StreamAppend(key: key(), fields: fields())
        if generator.once(in: 4) {
            append.id = generator.once(in: 2) ? .explicit(id()) : .automaticSequence(milliseconds: id().milliseconds)
        }
        append.createsStream = !generator.once(in: 10)
        if generator.once(in: 8) {
            append.trim = trim()
            append.references = references()
        }
        if generator.once(in: 4) {
            append.idempotency = StreamAppend.Idempotency(
                producer: consumer(), mark: generator.once(in: 2) ? .fields : .given([UInt8(generator.below(4))]))
        }
        return append
    }

    private mutating func trim() -> StreamTrim {
        StreamTrim(
            generator.once(in: 2) ? .length(Int64(generator.below(6))) : .minimumID(id()),
            isApproximate: generator.once(in: 4), limit: nil)
    }

    private mutating func range() -> StreamRange {
        let bounds = [id(), id()].sorted()
        let all = generator.once(in: 2)
        return StreamRange(
            key: key(), lower: all ? .zero : bounds[0], upper: all ? .max : bounds[1], count: limit(),
            isReversed: generator.once(in: 2))
    }

    private mutating func position() -> StreamRead.Position { generator.once(in: 4) ? .last : .after(id()) }

    private mutating func start() -> GroupStart { generator.once(in: 3) ? .last : .after(id()) }

    private mutating func creation() -> StreamGroupCreation {
        StreamGroupCreation(
            key: key(), group: group(), start: generator.once(in: 3) ? start() : .after(.zero),
            createsStream: generator.once(in: 2), entriesRead: generator.once(in: 3) ? Int64(generator.below(5)) : nil)
    }

    private mutating func groupRead() -> StreamGroupRead {
        let undelivered = !generator.once(in: 4)
        let streams = (0...(generator.once(in: 4) ? 1 : 0)).map { _ in
            (key: key(), position: undelivered ? StreamGroupRead.Position.undelivered : .ownPendingAfter(id()))
        }
        return StreamGroupRead(
            group: group(), consumer: consumer(), streams: streams, count: limit(), acknowledges: generator.once(in: 6))
    }

    private mutating func claim() -> StreamClaim {
        var claim = StreamClaim(
            key: key(), group: group(), consumer: consumer(), minimumIdleMilliseconds: Int64(generator.below(3)),
            ids: ids())
        if generator.once(in: 4) { claim.deliveredAtUnixMilliseconds = Int64(now) + 2 - Int64(generator.below(8)) }
        if generator.once(in: 4) { claim.deliveries = Int64(generator.below(5)) }
        claim.createsPending = generator.once(in: 2)
        claim.idsOnly = generator.once(in: 3)
        if generator.once(in: 6) { claim.lastID = id() }
        return claim
    }

    private mutating func autoClaim() -> StreamAutoClaim {
        StreamAutoClaim(
            key: key(), group: group(), consumer: consumer(), minimumIdleMilliseconds: Int64(generator.below(3)),
            start: generator.once(in: 2) ? .zero : id(), count: generator.below(3) + 1, idsOnly: generator.once(in: 3))
    }

    private mutating func pendingRange() -> StreamPendingRange {
        let bounds = [id(), id()].sorted()
        let all = generator.once(in: 2)
        return StreamPendingRange(
            key: key(), group: group(), lower: all ? .zero : bounds[0], upper: all ? .max : bounds[1],
            count: generator.below(5) + 1, consumer: generator.once(in: 2) ? consumer() : nil,
            minimumIdleMilliseconds: Int64(generator.below(3)))
    }

    private mutating func groupCommand() -> StreamCommand {
        switch generator.below(5) {
        case 0:
            .setGroup(
                key: key(), group: group(), start: start(),
                entriesRead: generator.once(in: 2) ? Int64(generator.below(5)) : nil)
        case 1: .destroyGroup(key: key(), group: group())
        case 2: .createConsumer(key: key(), group: group(), consumer: consumer())
        default: .deleteConsumer(key: key(), group: group(), consumer: consumer())
        }
    }

    private mutating func setID() -> StreamCommand {
        .setID(
            key: key(), id: id(), entriesAdded: generator.once(in: 2) ? Int64(generator.below(20)) : nil,
            maxDeletedID: generator.once(in: 3) ? id() : nil)
    }

    private mutating func keyCommand() -> KeyCommand {
        switch generator.below(9) {
        case 0: .type(key: key())
        case 1: .exists(keys: [key(), key()])
        case 2: generator.once(in: 3) ? .delete(keys: [key(), key()]) : .count
        case 3: .list(pattern: generator.once(in: 2) ? Array("?b".utf8) : nil)
        case 4: generator.once(in: 10) ? .deleteAll : .count
        case 5, 6:
            .expire(
                key: key(), atUnixMilliseconds: Int64(now) + Int64(generator.below(30)) - 2,
                condition: ExpiryCondition(rawValue: generator.once(in: 2) ? 0 : UInt8(1 << generator.below(4))))
        case 7: .persist(key: key())
        default: .expiry(key: key())
        }
    }
}
