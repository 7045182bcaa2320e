/// The commands that the embedded log answers.
enum RedisCommand: String, CaseIterable, Sendable {
    case XADD, XLEN, XRANGE, XREVRANGE, XREAD, XREADGROUP, XGROUP, XACK, XACKDEL, XPENDING, XCLAIM, XAUTOCLAIM
    case XDEL, XDELEX, XTRIM, XSETID, XCFGSET, XINFO
    case TYPE, EXISTS, TOUCH, DEL, UNLINK, KEYS, SCAN, DBSIZE, FLUSHDB, FLUSHALL
    case EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, TTL, PTTL, EXPIRETIME, PEXPIRETIME, PERSIST
    case PUBLISH, SPUBLISH, SUBSCRIBE, UNSUBSCRIBE, PSUBSCRIBE, PUNSUBSCRIBE, SSUBSCRIBE, SUNSUBSCRIBE, PUBSUB
    case MULTI, EXEC, DISCARD, WATCH, UNWATCH
    case PING, ECHO, HELLO, AUTH, SELECT, CLIENT, COMMAND, CONFIG, INFO, TIME, RESET, QUIT

    /// What Redis publishes of a command (https://redis.io/docs/latest/commands/command/), as far as it is checked or
    /// told to clients.
    struct Facts: Sendable {
        /// Words with the name; negative: at least so many.
        var arity: Int
        /// What COMMAND says.
        var flags: [String]
        /// Where keys stand; zeros for none or a place that depends on the options.
        var keys: (first: Int, last: Int, step: Int)
    }

    var facts: Facts {
        switch self {
        case .XADD: Self.write(-5, "fast")
        case .XLEN: Self.read(2, "fast")
        case .XRANGE, .XREVRANGE: Self.read(-4)
        case .XREAD: Facts(arity: -4, flags: ["readonly", "blocking", "movablekeys"], keys: (0, 0, 0))
        case .XREADGROUP: Facts(arity: -7, flags: ["write", "blocking", "movablekeys"], keys: (0, 0, 0))
        case .XGROUP: Facts(arity: -2, flags: [], keys: (0, 0, 0))
        case .XINFO: Facts(arity: -2, flags: [], keys: (0, 0, 0))
        case .XACK: Self.write(-4, "fast")
        case .XACKDEL: Self.write(-6, "fast")
        case .XPENDING: Self.read(-3)
        case .XCLAIM, .XAUTOCLAIM: Self.write(-6, "fast")
        case .XDEL: Self.write(-3, "fast")
        case .XDELEX: Self.write(-5, "fast")
        case .XTRIM: Self.write(-4)
        case .XSETID: Self.write(-3, "denyoom", "fast")
        case .XCFGSET: Self.write(-4, "fast")
        case .TYPE, .TTL, .PTTL, .EXPIRETIME, .PEXPIRETIME: Self.read(2, "fast")
        case .EXISTS, .TOUCH: Facts(arity: -2, flags: ["readonly", "fast"], keys: (1, -1, 1))
        case .DEL, .UNLINK: Facts(arity: -2, flags: ["write"], keys: (1, -1, 1))
        case .KEYS: Facts(arity: 2, flags: ["readonly"], keys: (0, 0, 0))
        case .SCAN: Facts(arity: -2, flags: ["readonly"], keys: (0, 0, 0))
        case .DBSIZE: Facts(arity: 1, flags: ["readonly", "fast"], keys: (0, 0, 0))
        case .FLUSHDB, .FLUSHALL: Facts(arity: -1, flags: ["write"], keys: (0, 0, 0))
        case .EXPIRE, .PEXPIRE, .EXPIREAT, .PEXPIREAT: Self.write(-3, "fast")
        case .PERSIST: Self.write(2, "fast")
        case .PUBLISH, .SPUBLISH: Self.connection(3, "pubsub", "loading", "stale", "fast")
        case .SUBSCRIBE, .PSUBSCRIBE, .SSUBSCRIBE: Self.connection(-2, "pubsub", "noscript", "loading", "stale")
        case .UNSUBSCRIBE, .PUNSUBSCRIBE, .SUNSUBSCRIBE:
            Self.connection(-1, "pubsub", "noscript", "loading", "stale")
        case .PUBSUB, .COMMAND, .CONFIG, .CLIENT: Facts(arity: self == .COMMAND ? -1 : -2, flags: [], keys: (0, 0, 0))
        case .MULTI, .EXEC, .DISCARD, .UNWATCH: Self.connection(1, "noscript", "loading", "stale", "fast")
        case .WATCH:
            Facts(arity: -2, flags: ["noscript", "loading", "stale", "fast"], keys: (1, -1, 1))
        case .PING: Self.connection(-1, "fast")
        case .ECHO: Self.connection(2, "fast")
        case .HELLO: Self.connection(-1, "noscript", "loading", "stale", "fast", "no_auth", "allow_busy")
        case .AUTH: Self.connection(-2, "noscript", "loading", "stale", "fast", "no_auth", "allow_busy")
        case .SELECT: Self.connection(2, "loading", "stale", "fast")
        case .INFO: Self.connection(-1, "loading", "stale")
        case .TIME: Self.connection(1, "loading", "stale", "fast")
        case .RESET: Self.connection(1, "noscript", "loading", "stale", "fast", "no_auth", "allow_busy")
        case .QUIT: Self.connection(-1, "noscript", "loading", "stale", "fast", "no_auth", "allow_busy")
        }
    }

    /// Arity of each subcommand that is answered, name and subcommand counted; empty when there are none.
    var subcommands: [String: Int] {
        switch self {
        case .XGROUP:
            ["CREATE": -5, "SETID": -5, "DESTROY": 4, "CREATECONSUMER": 5, "DELCONSUMER": 5, "HELP": 2]
        case .XINFO: ["STREAM": -3, "GROUPS": 3, "CONSUMERS": 4, "HELP": 2]
        case .CLIENT:
            [
                "ID": 2, "GETNAME": 2, "SETNAME": 3, "SETINFO": 4, "INFO": 2, "LIST": -2, "NO-EVICT": 3, "NO-TOUCH": 3,
                "REPLY": 3, "KILL": -3, "UNBLOCK": -3, "HELP": 2,
            ]
        case .COMMAND: ["COUNT": 2, "DOCS": -2, "INFO": -2, "LIST": -2, "HELP": 2]
        case .CONFIG: ["GET": -3, "RESETSTAT": 2, "HELP": 2]
        case .PUBSUB:
            ["CHANNELS": -2, "NUMSUB": -2, "NUMPAT": 2, "SHARDCHANNELS": -2, "SHARDNUMSUB": -2, "HELP": 2]
        default: [:]
        }
    }

    /// As Redis writes it in errors and in COMMAND.
    var lowercased: String { rawValue.lowercased() }

    private static func write(_ arity: Int, _ more: String...) -> Facts {
        Facts(arity: arity, flags: ["write"] + more, keys: (1, 1, 1))
    }

    private static func read(_ arity: Int, _ more: String...) -> Facts {
        Facts(arity: arity, flags: ["readonly"] + more, keys: (1, 1, 1))
    }

    private static func connection(_ arity: Int, _ flags: String...) -> Facts {
        Facts(arity: arity, flags: flags, keys: (0, 0, 0))
    }
}

/// Finds commands by name, and checks how many words they come with.
enum RedisCatalog {
    private struct Row: Sendable {
        var command: RedisCommand
        var name: [UInt8]
        var arity: Int
        var subcommands: [String: Int]
    }

    /// By a hash of the name: every command is looked up here, and most names should cost no string.
    private static let rows: [UInt64: Row] = Dictionary(
        uniqueKeysWithValues: RedisCommand.allCases.map { command in
            let name = Array(command.rawValue.utf8)
            let row = Row(command: command, name: name, arity: command.facts.arity, subcommands: command.subcommands)
            return (hash(name[...]), row)
        })

    /// FNV-1a of the name in capital letters.
    private static func hash(_ name: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name { hash = (hash ^ UInt64(capital(byte))) &* 0x0000_0100_0000_01b3 }
        return hash
    }

    private static func capital(_ byte: UInt8) -> UInt8 { (0x61...0x7A).contains(byte) ? byte & 0xDF : byte }

    /// The command, and its subcommand in capital letters if it has any.
    static func find(_ arguments: RedisArguments) throws(RedisCommandError) -> (RedisCommand, subcommand: String) {
        let name = arguments[0]
        guard let row = rows[hash(name)], row.name.elementsEqual(name.lazy.map(capital)) else {
            throw unknown(arguments)
        }
        guard fits(arguments.count, row.arity) else { throw .arity(row.command.lowercased) }
        guard !row.subcommands.isEmpty, arguments.count > 1 else { return (row.command, "") }
        let subcommand = arguments.word(1)
        guard let arity = row.subcommands[subcommand] else {
            throw RedisCommandError(
                "ERR unknown subcommand '\(arguments.text(1, prefix: 128))'. Try \(row.command.rawValue) HELP.")
        }
        guard fits(arguments.count, arity) else { throw .arity("\(row.command.lowercased)|\(subcommand.lowercased())") }
        return (row.command, subcommand)
    }

    private static func fits(_ count: Int, _ arity: Int) -> Bool { arity >= 0 ? count == arity : count >= -arity }

    private static func unknown(_ arguments: RedisArguments) -> RedisCommandError {
        RedisCommandError(
            "ERR unknown command '\(arguments.text(0, prefix: 128))': the embedded event log answers streams, "
                + "publish/subscribe, transactions and keys of streams; use a Redis server for other commands")
    }
}
