/// Reads commands about entries: https://redis.io/docs/latest/commands/?group=stream
///
/// The order of the checks is that of Redis, since it decides which of several mistakes is told.
extension RedisRequest {
    /// `XADD key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMPAUTO pid | IDMP pid iid] [MAXLEN|MINID [=|~] n [LIMIT n]] id
    /// field value [field value ...]`
    static func append(_ words: RedisArguments) throws(RedisCommandError) -> RedisRequest {
        var append = StreamAppend(key: words.array(1), fields: EventFields())
        var options = TrimOptions()
        var position = 2
        while position < words.count {
            if words.isWord(position, "*") { break }
            if try options.read(words, &position) { continue }
            let more = words.count - 1 - position
            if words.isWord(position, "NOMKSTREAM") {
                append.createsStream = false
                position += 1
            } else if words.isWord(position, "IDMPAUTO"), more >= 1 {
                append.idempotency = .init(producer: words.array(position + 1), mark: .fields)
                position += 2
            } else if words.isWord(position, "IDMP"), more >= 2 {
                append.idempotency = .init(
                    producer: words.array(position + 1), mark: .given(words.array(position + 2)))
                position += 3
            } else if let milliseconds = words.automaticSequence(position) {
                append.id = .automaticSequence(milliseconds: milliseconds)
                break
            } else {
                append.id = .explicit(try words.id(position))
                break
            }
        }
        append.trim = try options.finished()
        append.references = options.references
        let fields = words.count - position - 1
        guard fields >= 2, fields % 2 == 0 else { throw .arity("xadd") }
        if append.id == .explicit(.zero) { throw RedisCommandError(StreamError.idZero.message) }
        append.fields = self.fields(words, position + 1)
        return RedisRequest(.append(append))
    }

    private static func fields(_ words: RedisArguments, _ first: Int) -> EventFields {
        var size = 0
        for index in first..<words.count { size += words[index].count + 3 }
        var fields = EventFields(reservingBytes: size)
        for index in stride(from: first, to: words.count, by: 2) {
            fields.append(name: words[index], value: words[index + 1])
        }
        return fields
    }

    /// `XTRIM key MAXLEN|MINID [=|~] n [LIMIT n] [KEEPREF|DELREF|ACKED]`
    static func trim(_ words: RedisArguments) throws(RedisCommandError) -> RedisRequest {
        var options = TrimOptions()
        var position = 2
        while position < words.count {
            guard try options.read(words, &position) else { throw .syntax }
        }
        guard let trim = try options.finished() else {
            throw RedisCommandError("ERR syntax error, XTRIM must be called with a trimming strategy")
        }
        return RedisRequest(.trim(key: words.array(1), trim, references: options.references))
    }

    /// `XRANGE key start end [COUNT n]`, and XREVRANGE with the ends exchanged.
    static func range(_ words: RedisArguments, isReversed: Bool) throws(RedisCommandError) -> RedisRequest {
        let lower = try words.lowerBound(isReversed ? 3 : 2)
        let upper = try words.upperBound(isReversed ? 2 : 3)
        var count: Int?
        var position = 4
        while position < words.count {
            guard words.isWord(position, "COUNT"), position + 1 < words.count else { throw .syntax }
            count = max(0, Int(try words.integer(position + 1)))
            position += 2
        }
        return RedisRequest(
            .range(
                StreamRange(key: words.array(1), lower: lower, upper: upper, count: count, isReversed: isReversed)),
            form: .array)
    }

    /// `XREAD [COUNT n] [BLOCK ms] STREAMS key [key ...] id [id ...]`, and XREADGROUP with `GROUP group consumer` and
    /// `[NOACK]`.
    static func read(_ words: RedisArguments, asGroup: Bool) throws(RedisCommandError) -> RedisRequest {
        let options = try ReadOptions(words, asGroup: asGroup)
        let half = (words.count - options.firstKey) / 2
        let keys = words.arrays(options.firstKey..<options.firstKey + half)
        let ids = options.firstKey + half..<words.count
        guard asGroup else {
            var streams: [(key: [UInt8], position: StreamRead.Position)] = []
            for (key, id) in zip(keys, ids) {
                if words.isWord(id, ">") {
                    throw RedisCommandError(
                        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> "
                            + "option.")
                }
                streams.append((key, words.isWord(id, "$") ? .last : .after(try words.id(id))))
            }
            return RedisRequest(
                .read(StreamRead(streams: streams, count: options.count)), blockMilliseconds: options.block)
        }
        guard let (group, consumer) = options.group else {
            throw RedisCommandError("ERR Missing GROUP option for XREADGROUP")
        }
        var streams: [(key: [UInt8], position: StreamGroupRead.Position)] = []
        for (key, id) in zip(keys, ids) {
            if words.isWord(id, "$") {
                throw RedisCommandError(
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this "
                        + "consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would "
                        + "just return an empty result set.")
            }
            streams.append((key, words.isWord(id, ">") ? .undelivered : .ownPendingAfter(try words.id(id))))
        }
        return RedisRequest(
            .readGroup(
                StreamGroupRead(
                    group: group, consumer: consumer, streams: streams, count: options.count,
                    acknowledges: options.noAcknowledge)), blockMilliseconds: options.block)
    }

    /// `XSETID key id [ENTRIESADDED n] [MAXDELETEDID id]`
    static func setID(_ words: RedisArguments) throws(RedisCommandError) -> RedisRequest {
        let id = try words.id(2)
        var entriesAdded: Int64?
        var maxDeletedID: StreamID?
        var position = 3
        while position < words.count {
            guard position + 1 < words.count else { throw .syntax }
            if words.isWord(position, "ENTRIESADDED") {
                let number = try words.integer(position + 1)
                guard number >= 0 else { throw RedisCommandError("ERR entries_added must be positive") }
                entriesAdded = number
            } else if words.isWord(position, "MAXDELETEDID") {
                let deleted = try words.id(position + 1)
                guard id >= deleted else { throw RedisCommandError(StreamError.setIDBelowMaxDeleted.message) }
                maxDeletedID = deleted
            } else {
                throw .syntax
            }
            position += 2
        }
        return RedisRequest(
            .setID(key: words.array(1), id: id, entriesAdded: entriesAdded, maxDeletedID: maxDeletedID))
    }

    /// `XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE n]`
    static func configure(_ words: RedisArguments) throws(RedisCommandError) -> RedisRequest {
        var seconds: Int?
        var sizeMax: Int?
        var position = 2
        while position < words.count {
            guard position + 1 < words.count else { throw .syntax }
            let number = try words.integer(position + 1)
            if words.isWord(position, "IDMP-DURATION") {
                guard 1...86_400 ~= number else {
                    throw RedisCommandError("ERR IDMP-DURATION must be between 1 and 86400 seconds")
                }
                seconds = Int(number)
            } else if words.isWord(position, "IDMP-MAXSIZE") {
                guard 1...10_000 ~= number else {
                    throw RedisCommandError("ERR IDMP-MAXSIZE must be between 1 and 10000 entries")
                }
                sizeMax = Int(number)
            } else {
                throw .syntax
            }
            position += 2
        }
        return RedisRequest(
            .configureIdempotency(key: words.array(1), durationSeconds: seconds, sizeMax: sizeMax))
    }

    /// `XDELEX key [KEEPREF|DELREF|ACKED] IDS n id [id ...]`, and XACKDEL with the group after the key.
    static func deleteWithReferences(
        _ words: RedisArguments, acknowledges: Bool
    ) throws(RedisCommandError) -> RedisRequest {
        var references = ReferencePolicy.keep
        var ids: [StreamID]?
        var position = acknowledges ? 3 : 2
        while position < words.count {
            if let policy = TrimOptions.references(words, position) {
                references = policy
                position += 1
            } else if words.isWord(position, "IDS"), position + 1 < words.count {
                let count = try words.integer(position + 1, orElse: "ERR Number of IDs must be a positive integer")
                guard count > 0 else { throw RedisCommandError("ERR Number of IDs must be a positive integer") }
                guard count <= words.count - position - 2 else {
                    throw RedisCommandError("ERR The `numids` parameter must match the number of arguments")
                }
                var given: [StreamID] = []
                for index in position + 2..<position + 2 + Int(count) { given.append(try words.id(index)) }
                ids = given
                position += 2 + Int(count)
            } else {
                throw .syntax
            }
        }
        guard let ids else { throw .syntax }
        return RedisRequest(
            acknowledges
                ? .acknowledgeAndDelete(
                    key: words.array(1), group: words.array(2), ids: ids, references: references)
                : .deleteWithReferences(key: words.array(1), ids: ids, references: references))
    }
}

/// `MAXLEN|MINID [=|~] n [LIMIT n]` and what becomes of references, in any order.
private struct TrimOptions {
    private var bound: StreamTrim.Bound?
    private var isApproximate = false
    private var limit: Int?
    private(set) var references = ReferencePolicy.keep

    static func references(_ words: RedisArguments, _ position: Int) -> ReferencePolicy? {
        if words.isWord(position, "KEEPREF") { return .keep }
        if words.isWord(position, "DELREF") { return .delete }
        return words.isWord(position, "ACKED") ? .acknowledged : nil
    }

    /// Reads one option with its values. False when there is none at this position.
    mutating func read(_ words: RedisArguments, _ position: inout Int) throws(RedisCommandError) -> Bool {
        if let policy = Self.references(words, position) {
            references = policy
            position += 1
            return true
        }
        let more = words.count - 1 - position
        guard more >= 1 else { return false }
        if words.isWord(position, "LIMIT") {
            let number = try words.integer(position + 1)
            guard number >= 0 else { throw RedisCommandError("ERR The LIMIT argument must be >= 0.") }
            limit = Int(number)
            position += 2
            return true
        }
        let isLength = words.isWord(position, "MAXLEN")
        guard isLength || words.isWord(position, "MINID") else { return false }
        guard bound == nil else {
            throw RedisCommandError(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
        }
        if more >= 2, words.isWord(position + 1, "~") || words.isWord(position + 1, "=") {
            isApproximate = words.isWord(position + 1, "~")
            position += 1
        }
        if isLength {
            let length = try words.integer(position + 1)
            guard length >= 0 else { throw RedisCommandError("ERR The MAXLEN argument must be >= 0.") }
            bound = .length(length)
        } else {
            bound = .minimumID(try words.id(position + 1))
        }
        position += 2
        return true
    }

    /// The trim that the options come to; nil for none.
    func finished() throws(RedisCommandError) -> StreamTrim? {
        guard let bound else {
            guard (limit ?? 0) == 0 else {
                throw RedisCommandError(
                    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
            }
            return nil
        }
        guard isApproximate else {
            guard limit == nil else {
                throw RedisCommandError("ERR syntax error, LIMIT cannot be used without the special ~ option")
            }
            return StreamTrim(bound)
        }
        let usual = 100 * StreamTrim.blockEntries
        return StreamTrim(bound, isApproximate: true, limit: limit == 0 ? nil : limit ?? usual)
    }
}

/// What stands before the keys of XREAD and XREADGROUP.
private struct ReadOptions {
    var count: Int?
    var block: Int64?
    var group: (group: [UInt8], consumer: [UInt8])?
    var noAcknowledge = false
    var firstKey = 0

    init(_ words: RedisArguments, asGroup: Bool) throws(RedisCommandError) {
        var position = 1
        while position < words.count, firstKey == 0 {
            let more = words.count - 1 - position
            if words.isWord(position, "BLOCK"), more >= 1 {
                let milliseconds = try words.integer(
                    position + 1, orElse: "ERR timeout is not an integer or out of range")
                guard milliseconds >= 0 else { throw RedisCommandError("ERR timeout is negative") }
                block = milliseconds
                position += 2
            } else if words.isWord(position, "COUNT"), more >= 1 {
                let number = try words.integer(position + 1)
                count = number > 0 ? Int(number) : nil
                position += 2
            } else if words.isWord(position, "STREAMS"), more >= 1 {
                firstKey = position + 1
                guard more % 2 == 0 else { throw Self.unbalanced(asGroup) }
            } else if words.isWord(position, "GROUP"), more >= 2 {
                guard asGroup else { throw Self.onlyForGroups("GROUP") }
                group = (words.array(position + 1), words.array(position + 2))
                position += 3
            } else if words.isWord(position, "NOACK") {
                guard asGroup else { throw Self.onlyForGroups("NOACK") }
                noAcknowledge = true
                position += 1
            } else {
                throw .syntax
            }
        }
        guard firstKey > 0 else { throw .syntax }
    }

    private static func unbalanced(_ asGroup: Bool) -> RedisCommandError {
        RedisCommandError(
            "ERR Unbalanced \(asGroup ? "XREADGROUP" : "XREAD") list of streams: for each stream key an ID or "
                + "'\(asGroup ? ">" : "$")' must be specified.")
    }

    private static func onlyForGroups(_ option: String) -> RedisCommandError {
        RedisCommandError(
            "ERR The \(option) option is only supported by XREADGROUP. You called XREAD instead.")
    }
}
