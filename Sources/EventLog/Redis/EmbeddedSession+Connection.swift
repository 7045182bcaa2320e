import Wire

/// Commands about the connection itself, answered without anybody else.
extension EmbeddedSession {
    mutating func performHere(
        _ command: RedisCommand, _ subcommand: String, _ words: RedisArguments, now: UInt64
    ) throws(RedisCommandError) {
        switch command {
        case .PING: try ping(words)
        case .ECHO: reply { $0.bulk(words[1]) }
        case .HELLO: try hello(words)
        case .AUTH: try authenticate(words)
        case .SELECT:
            guard try words.integer(1) == 0 else { throw RedisCommandError("ERR DB index is out of range") }
            reply { $0.simple("OK") }
        case .CLIENT: try performClient(subcommand, words)
        case .TIME:
            reply { writer in
                writer.array(2)
                writer.bulk("\(now / 1_000)")
                writer.bulk("\(now % 1_000 * 1_000)")
            }
        case .SUBSCRIBE, .PSUBSCRIBE, .SSUBSCRIBE, .UNSUBSCRIBE, .PUNSUBSCRIBE, .SUNSUBSCRIBE:
            changeSubscriptions(command, words)
        case .COMMAND: describeCommands(subcommand, words)
        case .CONFIG: try performConfig(subcommand, words)
        case .UNWATCH: reply { $0.simple("OK") }
        default: help(command)
        }
    }

    /// The reply of a command within an EXEC, instead of a place in the line.
    mutating func performed(
        _ command: RedisCommand, _ subcommand: String, _ words: RedisArguments, now: UInt64
    ) -> [UInt8] {
        do throws(RedisCommandError) {
            try performHere(command, subcommand, words, now: now)
            guard case .ready(let bytes) = slots.popLast()?.state else { return [] }
            return bytes
        } catch {
            return RESPWriter.error(error.message)
        }
    }

    private mutating func ping(_ words: RedisArguments) throws(RedisCommandError) {
        guard words.count <= 2 else { throw .arity("ping") }
        let isSubscribed = subscriptions.count > 0 && version == .two
        reply { writer in
            if isSubscribed {
                writer.array(2)
                writer.bulk("pong")
                if words.count == 2 { writer.bulk(words[1]) } else { writer.bulk("") }
            } else if words.count == 2 {
                writer.bulk(words[1])
            } else {
                writer.simple("PONG")
            }
        }
    }

    /// `HELLO [version [AUTH user password] [SETNAME name]]`
    private mutating func hello(_ words: RedisArguments) throws(RedisCommandError) {
        var wanted = version
        if words.count > 1 {
            let number = try words.integer(1, orElse: "ERR Protocol version is not an integer or out of range")
            guard let known = RESPVersion(rawValue: Int(number)) else {
                throw RedisCommandError("NOPROTO unsupported protocol version")
            }
            wanted = known
        }
        var position = 2
        while position < words.count {
            if words.isWord(position, "AUTH"), position + 2 < words.count {
                guard words.isWord(position + 1, "default") else { throw Self.wrongPassword }
                position += 3
            } else if words.isWord(position, "SETNAME"), position + 1 < words.count {
                try setName(words.array(position + 1))
                position += 2
            } else {
                throw RedisCommandError("ERR Syntax error in HELLO option '\(words.text(position))'")
            }
        }
        version = wanted
        let id = client.id
        reply { writer in
            writer.map(7)
            for (name, value) in [("server", "redis"), ("version", RedisFacts.version)] {
                writer.bulk(name)
                writer.bulk(value)
            }
            writer.bulk("proto")
            writer.integer(Int64(wanted.rawValue))
            writer.bulk("id")
            writer.integer(Int64(id))
            for (name, value) in [("mode", "standalone"), ("role", "master")] {
                writer.bulk(name)
                writer.bulk(value)
            }
            writer.bulk("modules")
            writer.array(0)
        }
    }

    private static let wrongPassword = RedisCommandError(
        "WRONGPASS invalid username-password pair or user is disabled.")

    private mutating func authenticate(_ words: RedisArguments) throws(RedisCommandError) {
        switch words.count {
        case 2:
            throw RedisCommandError(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
                    + "configuration is correct?")
        case 3:
            guard words.isWord(1, "default") else { throw Self.wrongPassword }
            reply { $0.simple("OK") }
        default: throw .syntax
        }
    }

    /// Everything that belongs to the connection is as after connecting.
    mutating func reset() {
        transaction = nil
        watched = []
        for channel in subscriptions.removeAll() { effects.append(.unsubscribe(channel)) }
        version = .two
        replyMode = .on
        rename([])
        reply { $0.simple("RESET") }
    }

    // MARK: CLIENT

    private mutating func performClient(_ subcommand: String, _ words: RedisArguments) throws(RedisCommandError) {
        switch subcommand {
        case "ID":
            let id = client.id
            reply { $0.integer(Int64(id)) }
        case "GETNAME":
            let name = client.name
            reply { if name.isEmpty { $0.null() } else { $0.bulk(name) } }
        case "SETNAME":
            try setName(words.array(2))
            reply { $0.simple("OK") }
        case "SETINFO":
            guard words.isWord(2, "LIB-NAME") || words.isWord(2, "LIB-VER") else {
                throw RedisCommandError("ERR Unrecognized option '\(words.text(2))'")
            }
            reply { $0.simple("OK") }
        case "NO-EVICT", "NO-TOUCH":
            guard words.isWord(2, "ON") || words.isWord(2, "OFF") else { throw .syntax }
            reply { $0.simple("OK") }
        case "REPLY": try chooseReplies(words)
        default: help(.CLIENT)
        }
    }

    private mutating func setName(_ name: [UInt8]) throws(RedisCommandError) {
        guard name.allSatisfy({ (UInt8(ascii: "!")...UInt8(ascii: "~")).contains($0) }) else {
            throw RedisCommandError("ERR Client names cannot contain spaces, newlines or special characters.")
        }
        rename(name)
    }

    private mutating func chooseReplies(_ words: RedisArguments) throws(RedisCommandError) {
        if words.isWord(2, "ON") {
            replyMode = .on
            reply { $0.simple("OK") }
        } else if words.isWord(2, "OFF") {
            replyMode = .off
        } else if words.isWord(2, "SKIP") {
            if replyMode == .on { replyMode = .skipNext }
        } else {
            throw .syntax
        }
    }

    // MARK: What others know

    /// What has to be asked before this command can be replied to; nil when nothing has.
    func question(
        _ command: RedisCommand, _ subcommand: String, _ words: RedisArguments
    ) throws(RedisCommandError) -> EmbeddedQuestion? {
        switch (command, subcommand) {
        case (.PUBLISH, _), (.SPUBLISH, _):
            return .publish(channel: words.array(1), message: words.array(2), isSharded: command == .SPUBLISH)
        case (.PUBSUB, "CHANNELS"), (.PUBSUB, "SHARDCHANNELS"):
            guard words.count <= 3 else { throw RedisRequest.subcommandSyntax(words) }
            return .channels(
                pattern: words.count > 2 ? words.array(2) : nil, subcommand == "CHANNELS" ? .name : .shard)
        case (.PUBSUB, "NUMSUB"), (.PUBSUB, "SHARDNUMSUB"):
            return .subscribers(words.arrays(2..<words.count), subcommand == "NUMSUB" ? .name : .shard)
        case (.PUBSUB, "NUMPAT"): return .patternCount
        case (.CLIENT, "INFO"): return .clients(ids: [client.id])
        case (.CLIENT, "LIST"): return .clients(ids: try listed(words))
        case (.CLIENT, "KILL"): return try kill(words)
        case (.CLIENT, "UNBLOCK"):
            let id = try words.integer(2)
            guard words.count == 3 || words.isWord(3, "TIMEOUT") || words.isWord(3, "ERROR") else {
                throw RedisCommandError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
            }
            return .unblock(id: UInt64(clamping: id), withError: words.isWord(3, "ERROR"))
        case (.INFO, _): return .statistics
        default: return nil
        }
    }

    private func listed(_ words: RedisArguments) throws(RedisCommandError) -> [UInt64]? {
        guard words.count > 2 else { return nil }
        if words.isWord(2, "TYPE"), words.count == 4 {
            return words.isWord(3, "NORMAL") || words.isWord(3, "PUBSUB") ? nil : []
        }
        guard words.isWord(2, "ID"), words.count > 3 else { throw .syntax }
        var ids: [UInt64] = []
        for index in 3..<words.count {
            ids.append(UInt64(clamping: try words.integer(index, orElse: "ERR Invalid client ID")))
        }
        return ids
    }

    /// `CLIENT KILL address`, or `CLIENT KILL [ID id] [ADDR address] [SKIPME yes|no] ...`
    private func kill(_ words: RedisArguments) throws(RedisCommandError) -> EmbeddedQuestion {
        if words.count == 3 { return .kill(ids: [], addresses: [words.text(2)], skippingSelf: false) }
        var ids: [UInt64] = []
        var addresses: [String] = []
        var skips = true
        for index in stride(from: 2, to: words.count, by: 2) {
            guard index + 1 < words.count else { throw .syntax }
            if words.isWord(index, "ID") {
                let id = try words.integer(index + 1, orElse: "ERR client-id should be greater than 0")
                guard id > 0 else { throw RedisCommandError("ERR client-id should be greater than 0") }
                ids.append(UInt64(id))
            } else if words.isWord(index, "ADDR") {
                addresses.append(words.text(index + 1))
            } else if words.isWord(index, "SKIPME") {
                skips = words.isWord(index + 1, "YES")
            } else {
                throw .syntax
            }
        }
        return .kill(ids: ids, addresses: addresses, skippingSelf: skips)
    }

    /// Says what came of a question.
    mutating func write(_ answer: EmbeddedAnswer, to writer: inout RedisReplyWriter, now: UInt64) {
        switch answer {
        case .count(let count): writer.integer(count)
        case .names(let names): writer.bulks(names)
        case .counts(let counts):
            // A flat list also in RESP3.
            writer.array(2 * counts.count)
            for (name, count) in counts {
                writer.bulk(name)
                writer.integer(count)
            }
        case .clients(let clients):
            writer.text(clients.map { RedisFacts.line($0, now: now) + "\n" }.joined())
        case .statistics(let statistics): writer.text(RedisFacts.info(statistics))
        case .unblocked, .store: writer.null()
        }
    }
}
