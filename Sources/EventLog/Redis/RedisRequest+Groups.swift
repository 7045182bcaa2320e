/// Reads commands about groups, and XINFO.
extension RedisRequest {
    /// `XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD n]`, `SETID` likewise without MKSTREAM, `DESTROY key group`,
    /// `CREATECONSUMER|DELCONSUMER key group consumer`
    static func group(_ words: RedisArguments, _ subcommand: String) throws(RedisCommandError) -> RedisRequest {
        let key = words.array(2)
        let group = words.array(3)
        var createsStream = false
        var entriesRead: Int64?
        let creates = subcommand == "CREATE"
        var position = 5
        while position < words.count {
            if creates, words.isWord(position, "MKSTREAM") {
                createsStream = true
                position += 1
            } else if words.isWord(position, "ENTRIESREAD"), position + 1 < words.count {
                let number = try words.integer(position + 1)
                guard number >= -1 else {
                    throw RedisCommandError("ERR value for ENTRIESREAD must be positive or -1")
                }
                entriesRead = number == -1 ? nil : number
                position += 2
            } else {
                throw subcommandSyntax(words)
            }
        }
        switch subcommand {
        case "CREATE":
            let start: GroupStart = words.isWord(4, "$") ? .last : .after(try words.id(4))
            return RedisRequest(
                .createGroup(
                    StreamGroupCreation(
                        key: key, group: group, start: start, createsStream: createsStream, entriesRead: entriesRead)))
        case "SETID":
            let start: GroupStart = words.isWord(4, "$") ? .last : .after(try words.idOrEnd(4))
            return RedisRequest(.setGroup(key: key, group: group, start: start, entriesRead: entriesRead))
        case "DESTROY":
            return RedisRequest(.destroyGroup(key: key, group: group))
        case "CREATECONSUMER":
            return RedisRequest(.createConsumer(key: key, group: group, consumer: words.array(4)))
        default:
            return RedisRequest(.deleteConsumer(key: key, group: group, consumer: words.array(4)))
        }
    }

    static func subcommandSyntax(_ words: RedisArguments) -> RedisCommandError {
        RedisCommandError(
            "ERR unknown subcommand or wrong number of arguments for '\(words.text(1, prefix: 128))'. "
                + "Try \(words.word(0)) HELP.")
    }

    /// `XINFO STREAM key [FULL [COUNT n]]`, `GROUPS key`, `CONSUMERS key group`
    static func info(_ words: RedisArguments, _ subcommand: String) throws(RedisCommandError) -> RedisRequest {
        let key = words.array(2)
        switch subcommand {
        case "GROUPS": return RedisRequest(.groupsInfo(key: key))
        case "CONSUMERS": return RedisRequest(.consumersInfo(key: key, group: words.array(3)))
        default: break
        }
        guard words.count > 3 else { return RedisRequest(.streamInfo(key: key)) }
        guard words.isWord(3, "FULL"), words.count == 4 || words.count == 6 else { throw subcommandSyntax(words) }
        guard words.count == 6 else { return RedisRequest(.fullInfo(key: key, count: 10)) }
        guard words.isWord(4, "COUNT") else { throw subcommandSyntax(words) }
        let count = try words.integer(5)
        return RedisRequest(.fullInfo(key: key, count: count < 0 ? 10 : count == 0 ? nil : Int(count)))
    }

    /// `XACK key group id [id ...]`
    static func acknowledge(_ words: RedisArguments) throws(RedisCommandError) -> RedisRequest {
        RedisRequest(.acknowledge(key: words.array(1), group: words.array(2), ids: try ids(words, 3)))
    }

    /// `XDEL key id [id ...]`
    static func delete(_ words: RedisArguments) throws(RedisCommandError) -> RedisRequest {
        RedisRequest(.delete(key: words.array(1), ids: try ids(words, 2)))
    }

    private static func ids(_ words: RedisArguments, _ first: Int) throws(RedisCommandError) -> [StreamID] {
        var ids: [StreamID] = []
        ids.reserveCapacity(words.count - first)
        for index in first..<words.count { ids.append(try words.id(index)) }
        return ids
    }

    /// `XPENDING key group [[IDLE ms] start end count [consumer]]`
    static func pending(_ words: RedisArguments) throws(RedisCommandError) -> RedisRequest {
        let key = words.array(1)
        let group = words.array(2)
        if words.count == 3 { return RedisRequest(.pendingSummary(key: key, group: group)) }
        guard 6...9 ~= words.count else { throw .syntax }
        var start = 3
        var idle: Int64 = 0
        if words.isWord(3, "IDLE") {
            idle = try words.integer(4)
            guard words.count >= 8 else { throw .syntax }
            start = 5
        }
        let count = try words.integer(start + 2)
        let lower = try words.lowerBound(start)
        let upper = try words.upperBound(start + 1)
        return RedisRequest(
            .pending(
                StreamPendingRange(
                    key: key, group: group, lower: lower, upper: upper, count: Int(max(0, count)),
                    consumer: start + 3 < words.count ? words.array(start + 3) : nil,
                    minimumIdleMilliseconds: max(0, idle))))
    }

    /// `XCLAIM key group consumer min-idle id [id ...] [IDLE ms] [TIME ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]`
    static func claim(_ words: RedisArguments, now: UInt64) throws(RedisCommandError) -> RedisRequest {
        let idle = try words.integer(4, orElse: "ERR Invalid min-idle-time argument for XCLAIM")
        var claim = StreamClaim(
            key: words.array(1), group: words.array(2), consumer: words.array(3),
            minimumIdleMilliseconds: max(0, idle), ids: [])
        var position = 5
        while position < words.count, let id = words.idIfAny(position) {
            claim.ids.append(id)
            position += 1
        }
        while position < words.count {
            let hasMore = position + 1 < words.count
            if words.isWord(position, "FORCE") {
                claim.createsPending = true
                position += 1
                continue
            }
            if words.isWord(position, "JUSTID") {
                claim.idsOnly = true
                position += 1
                continue
            }
            if words.isWord(position, "IDLE"), hasMore {
                let number = try words.integer(
                    position + 1, orElse: "ERR Invalid IDLE option argument for XCLAIM")
                // Redis takes -1 for "not given"; any time in the future counts as now.
                claim.deliveredAtUnixMilliseconds = Int64(clamping: Int128(now) - Int128(number))
            } else if words.isWord(position, "TIME"), hasMore {
                claim.deliveredAtUnixMilliseconds = try words.integer(
                    position + 1, orElse: "ERR Invalid TIME option argument for XCLAIM")
            } else if words.isWord(position, "RETRYCOUNT"), hasMore {
                let number = try words.integer(
                    position + 1, orElse: "ERR Invalid RETRYCOUNT option argument for XCLAIM")
                claim.deliveries = number < 0 ? nil : number
            } else if words.isWord(position, "LASTID"), hasMore {
                claim.lastID = try words.id(position + 1)
            } else {
                throw RedisCommandError("ERR Unrecognized XCLAIM option '\(words.text(position))'")
            }
            position += 2
        }
        return RedisRequest(.claim(claim))
    }

    /// `XAUTOCLAIM key group consumer min-idle start [COUNT n] [JUSTID]`
    static func autoClaim(_ words: RedisArguments) throws(RedisCommandError) -> RedisRequest {
        let idle = try words.integer(4, orElse: "ERR Invalid min-idle-time argument for XAUTOCLAIM")
        var claim = StreamAutoClaim(
            key: words.array(1), group: words.array(2), consumer: words.array(3),
            minimumIdleMilliseconds: max(0, idle), start: try words.lowerBound(5))
        var position = 6
        while position < words.count {
            if words.isWord(position, "COUNT"), position + 1 < words.count {
                let count = try words.integer(position + 1, orElse: "ERR COUNT must be > 0")
                guard count > 0, count <= Int64.max / 16 else { throw RedisCommandError("ERR COUNT must be > 0") }
                claim.count = Int(count)
                position += 2
            } else if words.isWord(position, "JUSTID") {
                claim.idsOnly = true
                position += 1
            } else {
                throw .syntax
            }
        }
        return RedisRequest(.autoClaim(claim), form: claim.idsOnly ? .idsOnly : .plain)
    }
}
