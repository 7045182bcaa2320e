/// Reads commands about keys as such: https://redis.io/docs/latest/commands/?group=generic
extension RedisRequest {
    /// `EXPIRE|PEXPIRE|EXPIREAT|PEXPIREAT key number [NX|XX|GT|LT]`
    static func expire(
        _ words: RedisArguments, _ command: RedisCommand, now: UInt64
    ) throws(RedisCommandError) -> RedisRequest {
        var condition = ExpiryCondition()
        for index in 3..<max(3, words.count) {
            if words.isWord(index, "NX") {
                condition.insert(.whenUnset)
            } else if words.isWord(index, "XX") {
                condition.insert(.whenSet)
            } else if words.isWord(index, "GT") {
                condition.insert(.whenLater)
            } else if words.isWord(index, "LT") {
                condition.insert(.whenEarlier)
            } else {
                throw RedisCommandError("ERR Unsupported option \(words.text(index))")
            }
        }
        if condition.contains(.whenUnset), condition != .whenUnset {
            throw RedisCommandError("ERR NX and XX, GT or LT options at the same time are not compatible")
        }
        if condition.isSuperset(of: [.whenLater, .whenEarlier]) {
            throw RedisCommandError("ERR GT and LT options at the same time are not compatible")
        }
        let number = try words.integer(2)
        let scale: Int64 = command == .EXPIRE || command == .EXPIREAT ? 1_000 : 1
        let base = command == .EXPIRE || command == .PEXPIRE ? Int64(clamping: now) : 0
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: scale)
        let (moment, sumOverflow) = milliseconds.addingReportingOverflow(base)
        guard !overflow, !sumOverflow else {
            throw RedisCommandError("ERR invalid expire time in '\(command.lowercased)' command")
        }
        return RedisRequest(
            .keys(.expire(key: words.array(1), atUnixMilliseconds: moment, condition: condition)))
    }

    /// `SCAN cursor [MATCH pattern] [COUNT n] [TYPE type]`
    static func scan(_ words: RedisArguments) throws(RedisCommandError) -> RedisRequest {
        guard let cursor = UInt64(words.text(1)) else { throw RedisCommandError("ERR invalid cursor") }
        var count = 10
        var pattern: [UInt8]?
        var form = Form.plain
        var position = 2
        while position < words.count {
            guard position + 1 < words.count else { throw .syntax }
            if words.isWord(position, "COUNT") {
                let number = try words.integer(position + 1)
                guard number >= 1 else { throw .syntax }
                count = Int(min(number, 1_000_000))
            } else if words.isWord(position, "MATCH") {
                pattern = words.array(position + 1)
            } else if words.isWord(position, "TYPE") {
                // Everything is a stream.
                form = words.isWord(position + 1, "stream") ? .plain : .noNames
            } else {
                throw .syntax
            }
            position += 2
        }
        return RedisRequest(.keys(.scan(cursor: cursor, count: count, pattern: pattern)), form: form)
    }

    /// `FLUSHDB|FLUSHALL [ASYNC|SYNC]`
    static func flush(_ words: RedisArguments) throws(RedisCommandError) -> RedisRequest {
        guard words.count == 1 || words.count == 2 && (words.isWord(1, "ASYNC") || words.isWord(1, "SYNC")) else {
            throw .syntax
        }
        return RedisRequest(.keys(.deleteAll))
    }

    /// A command that only needs its keys.
    static func keys(_ command: KeyCommand, _ form: Form = .plain) -> RedisRequest {
        RedisRequest(.keys(command), form: form)
    }
}

extension RedisRequest {
    /// What a command asks of the store; nil when it is not for the store.
    static func parse(
        _ command: RedisCommand, _ subcommand: String, _ words: RedisArguments, now: UInt64
    ) throws(RedisCommandError) -> RedisRequest? {
        switch command {
        case .XADD: return try append(words)
        case .XLEN: return RedisRequest(.length(key: words.array(1)))
        case .XRANGE: return try range(words, isReversed: false)
        case .XREVRANGE: return try range(words, isReversed: true)
        case .XREAD: return try read(words, asGroup: false)
        case .XREADGROUP: return try read(words, asGroup: true)
        case .XGROUP: return subcommand == "HELP" ? nil : try group(words, subcommand)
        case .XINFO: return subcommand == "HELP" ? nil : try info(words, subcommand)
        case .XACK: return try acknowledge(words)
        case .XACKDEL: return try deleteWithReferences(words, acknowledges: true)
        case .XPENDING: return try pending(words)
        case .XCLAIM: return try claim(words, now: now)
        case .XAUTOCLAIM: return try autoClaim(words)
        case .XDEL: return try delete(words)
        case .XDELEX: return try deleteWithReferences(words, acknowledges: false)
        case .XTRIM: return try trim(words)
        case .XSETID: return try setID(words)
        case .XCFGSET: return try configure(words)
        case .TYPE: return keys(.type(key: words.array(1)))
        case .EXISTS, .TOUCH: return keys(.exists(keys: words.arrays(1..<words.count)))
        case .DEL, .UNLINK: return keys(.delete(keys: words.arrays(1..<words.count)))
        case .KEYS: return keys(.list(pattern: words.array(1)))
        case .SCAN: return try scan(words)
        case .DBSIZE: return keys(.count)
        case .FLUSHDB, .FLUSHALL: return try flush(words)
        case .EXPIRE, .PEXPIRE, .EXPIREAT, .PEXPIREAT: return try expire(words, command, now: now)
        case .TTL: return keys(.expiry(key: words.array(1)), .timeToLive(milliseconds: false))
        case .PTTL: return keys(.expiry(key: words.array(1)), .timeToLive(milliseconds: true))
        case .EXPIRETIME: return keys(.expiry(key: words.array(1)), .endTime(milliseconds: false))
        case .PEXPIRETIME: return keys(.expiry(key: words.array(1)), .endTime(milliseconds: true))
        case .PERSIST: return keys(.persist(key: words.array(1)))
        case .PUBLISH, .SPUBLISH, .SUBSCRIBE, .UNSUBSCRIBE, .PSUBSCRIBE, .PUNSUBSCRIBE, .SSUBSCRIBE, .SUNSUBSCRIBE,
            .PUBSUB, .MULTI, .EXEC, .DISCARD, .WATCH, .UNWATCH, .PING, .ECHO, .HELLO, .AUTH, .SELECT, .CLIENT,
            .COMMAND, .CONFIG, .INFO, .TIME, .RESET, .QUIT:
            return nil
        }
    }
}
