/// What the session has to do about a command, beyond passing it on.
enum RedisCommandKind: UInt8 {
    /// Nothing: counted and timed.
    case plain
    case publishEntry
    case publishMessage
    case read
    case readGroup
    case range
    case claim
    case autoClaim
    case inspect
    case acknowledge
    case delete
    case subscribe
    case unsubscribe
    case hello
    case client
    case select
    /// MULTI.
    case begin
    case execute
    case discard
    case reset
    case monitor
    case replicate

    /// Whether the arguments have to be seen, and so the whole command kept together.
    var needsArguments: Bool {
        switch self {
        case .plain, .begin, .execute, .discard, .reset, .monitor, .replicate: false
        case .publishEntry, .publishMessage, .read, .readGroup, .range, .claim, .autoClaim, .inspect, .acknowledge,
            .delete, .subscribe, .unsubscribe, .hello, .client, .select:
            true
        }
    }
}

extension RedisCommandKind {
    /// It is answered once per channel.
    var isSubscription: Bool { self == .subscribe || self == .unsubscribe }
}

/// A known command.
struct RedisCommand {
    /// Upper case: the value of the `db_operation_name` label.
    let name: String
    let kind: RedisCommandKind
    /// It concerns the connection or the server and no data: no guard ever refuses it.
    var isControl = false
    /// Its reply may come late although nothing is wrong: it waits for data, or for somebody else.
    var mayWait = false
}

/// Every command we know, found by name in any case without allocating.
///
/// What is not listed counts as `_OTHER`: a client may send anything as a command name, its password included, and
/// none of that may reach a label. Names: https://redis.io/docs/latest/commands/
struct RedisCommandTable: Sendable {
    /// The number of a command in the table; `other` for unknown ones.
    typealias Number = UInt16

    static let other: Number = 0
    static let shared = RedisCommandTable()

    let commands: [RedisCommand]
    private let slots: [Number]
    private let keys: [Key]

    /// A name of up to 24 bytes in upper case.
    private struct Key: Equatable {
        var first: UInt64 = 0
        var second: UInt64 = 0
        var third: UInt64 = 0

        @inline(__always)
        init?(_ bytes: Span<UInt8>, _ range: Range<Int>) {
            guard range.count <= 24 else { return nil }
            var position = 0
            for index in range {
                let byte = bytes[index]
                let upper = byte >= 0x61 && byte <= 0x7a ? byte &- 0x20 : byte
                if position < 8 {
                    first = first << 8 | UInt64(upper)
                } else if position < 16 {
                    second = second << 8 | UInt64(upper)
                } else {
                    third = third << 8 | UInt64(upper)
                }
                position &+= 1
            }
        }

        var hash: Int {
            let mixed = (first ^ second &* 31 ^ third &* 127) &* 0x9e37_79b9_7f4a_7c15
            return Int(truncatingIfNeeded: mixed >> 54)
        }
    }

    private static let slotCount = 1024

    private init() {
        var commands = [RedisCommand(name: "_OTHER", kind: .plain)]
        let control = Set(Self.control.split(whereSeparator: \.isWhitespace))
        let waiting = Set(Self.waiting.split(whereSeparator: \.isWhitespace))
        let plain = Self.plain.split(whereSeparator: \.isWhitespace).map { (String($0), RedisCommandKind.plain) }
        commands += (Self.followed + plain).map { name, kind in
            RedisCommand(
                name: name, kind: kind, isControl: control.contains(name[...]), mayWait: waiting.contains(name[...]))
        }
        var slots = [Number](repeating: Self.other, count: Self.slotCount)
        var keys = [Key(Array("_OTHER".utf8).span, 0..<6)!]
        for (number, command) in commands.enumerated().dropFirst() {
            let name = Array(command.name.utf8)
            let key = Key(name.span, 0..<name.count)!
            keys.append(key)
            var slot = key.hash
            while slots[slot] != Self.other { slot = (slot + 1) & (Self.slotCount - 1) }
            slots[slot] = Number(number)
        }
        self.commands = commands
        self.slots = slots
        self.keys = keys
    }

    func number(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Number {
        guard let key = Key(bytes, range) else { return Self.other }
        var slot = key.hash
        while slots[slot] != Self.other {
            if keys[Int(slots[slot])] == key { return slots[slot] }
            slot = (slot &+ 1) & (Self.slotCount &- 1)
        }
        return Self.other
    }

    private static let followed: [(String, RedisCommandKind)] = [
        ("XADD", .publishEntry),
        ("XREAD", .read),
        ("XREADGROUP", .readGroup),
        ("XRANGE", .range),
        ("XREVRANGE", .range),
        ("XCLAIM", .claim),
        ("XAUTOCLAIM", .autoClaim),
        ("XINFO", .inspect),
        ("XACK", .acknowledge),
        ("XACKDEL", .acknowledge),
        ("XDEL", .delete),
        ("XDELEX", .delete),
        ("PUBLISH", .publishMessage),
        ("SPUBLISH", .publishMessage),
        ("SUBSCRIBE", .subscribe),
        ("PSUBSCRIBE", .subscribe),
        ("SSUBSCRIBE", .subscribe),
        ("UNSUBSCRIBE", .unsubscribe),
        ("PUNSUBSCRIBE", .unsubscribe),
        ("SUNSUBSCRIBE", .unsubscribe),
        ("HELLO", .hello),
        ("CLIENT", .client),
        ("SELECT", .select),
        ("MULTI", .begin),
        ("EXEC", .execute),
        ("DISCARD", .discard),
        ("RESET", .reset),
        ("MONITOR", .monitor),
        ("SYNC", .replicate),
        ("PSYNC", .replicate),
    ]

    /// A client must be able to sign in, to ask what is wrong, and to leave, whatever state the broker is in.
    private static let control = """
        ACL ASKING AUTH BGREWRITEAOF BGSAVE CLIENT CLUSTER COMMAND CONFIG DEBUG DISCARD ECHO EXEC FAILOVER FUNCTION
        HELLO INFO LASTSAVE LATENCY LOLWUT MEMORY MODULE MONITOR MULTI PING PSUBSCRIBE PSYNC PUBSUB PUNSUBSCRIBE QUIT
        READONLY READWRITE REPLCONF REPLICAOF RESET ROLE SAVE SCRIPT SELECT SHUTDOWN SLAVEOF SLOWLOG SSUBSCRIBE
        SUBSCRIBE SUNSUBSCRIBE SYNC TIME UNSUBSCRIBE UNWATCH WATCH XINFO
        """

    /// DEBUG sleeps, scripts take what they take, WAIT and the blocking reads wait by design.
    private static let waiting = """
        BGREWRITEAOF BGSAVE BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN DEBUG EVAL EVALSHA EVALSHA_RO
        EVAL_RO FAILOVER FCALL FCALL_RO MIGRATE SAVE SHUTDOWN WAIT WAITAOF
        """

    private static let plain = """
        ACL APPEND ASKING AUTH BGREWRITEAOF BGSAVE BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS BLMOVE BLMPOP
        BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLUSTER CLUSTERSCAN COMMAND CONFIG COPY DBSIZE DEBUG
        DECR DECRBY DEL DELEX DIGEST DUMP ECHO EVAL EVALSHA EVALSHA_RO EVAL_RO EXISTS EXPIRE EXPIREAT
        EXPIRETIME FAILOVER FCALL FCALL_RO FLUSHALL FLUSHDB FUNCTION GEOADD GEODIST GEOHASH GEOPOS GEORADIUS
        GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GEOSEARCHSTORE GET GETBIT GETDEL GETEX
        GETRANGE GETSET HDEL HEXISTS HEXPIRE HEXPIREAT HEXPIRETIME HGET HGETALL HGETDEL HGETEX HINCRBY
        HINCRBYFLOAT HKEYS HLEN HMGET HMSET HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD HSCAN
        HSET HSETEX HSETNX HSTRLEN HTTL HVALS INCR INCRBY INCRBYFLOAT INCREX INFO KEYS LASTSAVE LATENCY LCS
        LINDEX LINSERT LLEN LMOVE LMPOP LOLWUT LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM MEMORY MGET
        MIGRATE MODULE MOVE MSET MSETEX MSETNX OBJECT PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PFADD PFCOUNT
        PFDEBUG PFMERGE PFSELFTEST PING PSETEX PTTL PUBSUB QUIT RANDOMKEY READONLY READWRITE RENAME RENAMENX
        REPLCONF REPLICAOF RESTORE RESTORE-ASKING ROLE RPOP RPOPLPUSH RPUSH RPUSHX SADD SAVE SCAN SCARD SCRIPT
        SDIFF SDIFFSTORE SET SETBIT SETEX SETNX SETRANGE SHUTDOWN SINTER SINTERCARD SINTERSTORE
        SISMEMBER SLAVEOF SLOWLOG SMEMBERS SMISMEMBER SMOVE SORT SORT_RO SPOP SRANDMEMBER SREM SSCAN STRLEN
        SUBSTR SUNION SUNIONSTORE SWAPDB TIME TOUCH TTL TYPE UNLINK UNWATCH VADD VCARD VDIM VEMB VGETATTR VINFO
        VLINKS VRANDMEMBER VREM VSETATTR VSIM WAIT WAITAOF WATCH XCFGSET XGROUP XIDMPRECORD XLEN XPENDING
        XSETID XTRIM ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP
        ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM
        ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK
        ZSCAN ZSCORE ZUNION ZUNIONSTORE
        """
}
