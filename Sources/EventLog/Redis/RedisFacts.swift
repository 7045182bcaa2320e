/// What the embedded log says about itself where clients ask a Redis server.
enum RedisFacts {
    /// The version of Redis whose stream commands are followed; clients choose their commands by it.
    static let version = "7.0.15"

    /// A line of CLIENT LIST. Sizes of buffers are not told.
    static func line(_ client: EmbeddedClient, now: UInt64) -> String {
        let age = (now - min(now, client.connectedAtUnixMilliseconds)) / 1_000
        return "id=\(client.id) addr=\(client.address) laddr=embedded fd=-1 name="
            + String(decoding: client.name, as: UTF8.self)
            + " age=\(age) idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 "
            + "rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=client user=default redir=-1 resp=2"
    }

    /// INFO: the lines that clients read.
    static func info(_ statistics: EmbeddedStatistics) -> String {
        [
            "# Server", "redis_version:\(version)", "redis_mode:standalone", "server_name:tachograph",
            "process_id:\(statistics.processID)", "tcp_port:\(statistics.port)",
            "uptime_in_seconds:\(statistics.uptimeSeconds)", "",
            "# Clients", "connected_clients:\(statistics.clients)",
            "blocked_clients:\(statistics.blockedClients)", "",
            "# Persistence", "loading:0", "aof_enabled:1", "",
            "# Stats", "total_connections_received:\(statistics.connections)", "",
            "# Replication", "role:master", "connected_slaves:0", "",
            "# Cluster", "cluster_enabled:0", "",
        ].joined(separator: "\r\n")
    }

    /// CONFIG GET: what tools ask for before they begin.
    static let settings: [(name: String, value: String)] = [
        ("appendfsync", "always"), ("appendonly", "yes"), ("databases", "1"), ("maxmemory", "0"),
        ("maxmemory-policy", "noeviction"), ("proto-max-bulk-len", "\(EmbeddedSession.frameBytesMax)"), ("save", ""),
        ("stream-node-max-entries", "\(StreamTrim.blockEntries)"), ("timeout", "0"),
    ]
}

/// COMMAND, CONFIG and HELP.
extension EmbeddedSession {
    mutating func describeCommands(_ subcommand: String, _ words: RedisArguments) {
        switch subcommand {
        case "": reply { Self.describe(RedisCommand.allCases, to: &$0) }
        case "COUNT": reply { $0.integer(Int64(RedisCommand.allCases.count)) }
        case "LIST": reply { $0.bulks(RedisCommand.allCases.map { Array($0.lowercased.utf8) }) }
        case "INFO":
            let named = (2..<words.count).map { RedisCommand(rawValue: words.word($0)) }
            reply { Self.describe(words.count == 2 ? RedisCommand.allCases : named, to: &$0) }
        case "DOCS":
            let named = (2..<words.count).compactMap { RedisCommand(rawValue: words.word($0)) }
            let shown = words.count == 2 ? RedisCommand.allCases : named
            reply { writer in
                writer.map(shown.count)
                for command in shown {
                    writer.bulk(command.lowercased)
                    writer.map(1)
                    writer.bulk("summary")
                    writer.bulk("See https://redis.io/docs/latest/commands/\(command.lowercased)/")
                }
            }
        default: help(.COMMAND)
        }
    }

    private static func describe(_ commands: [RedisCommand?], to writer: inout RedisReplyWriter) {
        writer.array(commands.count)
        for command in commands {
            guard let command else {
                writer.nullArray()
                continue
            }
            let facts = command.facts
            writer.array(10)
            writer.bulk(command.lowercased)
            writer.integer(Int64(facts.arity))
            writer.set(facts.flags.count)
            for flag in facts.flags { writer.simple(flag) }
            for place in [facts.keys.first, facts.keys.last, facts.keys.step] { writer.integer(Int64(place)) }
            // Categories of access, tips, key specifications and subcommands are not told.
            writer.set(0)
            for _ in 0..<3 { writer.array(0) }
        }
    }

    mutating func performConfig(_ subcommand: String, _ words: RedisArguments) throws(RedisCommandError) {
        switch subcommand {
        case "GET":
            let patterns = (2..<words.count).map { Array(words.text($0).lowercased().utf8) }
            let found = RedisFacts.settings.filter { setting in
                patterns.contains { RedisGlob.matches($0, Array(setting.name.utf8)) }
            }
            reply { writer in
                writer.map(found.count)
                for setting in found {
                    writer.bulk(setting.name)
                    writer.bulk(setting.value)
                }
            }
        case "RESETSTAT": reply { $0.simple("OK") }
        default: help(.CONFIG)
        }
    }

    mutating func help(_ command: RedisCommand) {
        let subcommands = command.subcommands.keys.sorted()
        reply { writer in
            writer.array(subcommands.count + 1)
            writer.simple("\(command.rawValue) <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
            for subcommand in subcommands { writer.simple(subcommand) }
        }
    }
}
