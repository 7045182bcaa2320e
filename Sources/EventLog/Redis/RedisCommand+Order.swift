// What a session must know of a command to keep the order of its connection.

extension StreamCommand {
    /// Reads so much that writers should not wait for it.
    var isLongRead: Bool {
        switch self {
        case .range(let range): range.count ?? .max > Self.shortReadMax
        case .read(let read): read.count ?? .max > Self.shortReadMax
        default: false
        }
    }

    private static let shortReadMax = 64
}

extension RedisCommand {
    /// What a RESP2 connection with subscriptions may still say.
    var isAllowedWhileSubscribed: Bool {
        switch self {
        case .SUBSCRIBE, .UNSUBSCRIBE, .PSUBSCRIBE, .PUNSUBSCRIBE, .SSUBSCRIBE, .SUNSUBSCRIBE, .PING, .QUIT, .RESET:
            true
        default: false
        }
    }

    /// What is never queued in a transaction.
    var isTransactionControl: Bool {
        switch self {
        case .MULTI, .EXEC, .DISCARD, .WATCH, .UNWATCH, .QUIT, .RESET: true
        default: false
        }
    }

    /// Whether everything before it must be answered first: it waits, or others learn of it.
    func needsSilence(_ words: RedisArguments) -> Bool {
        switch self {
        case .PUBLISH, .SPUBLISH, .EXEC, .RESET, .QUIT: return true
        case .XREAD, .XREADGROUP:
            for index in 1..<words.count where words.isWord(index, "BLOCK") { return true }
            return false
        default: return false
        }
    }
}
