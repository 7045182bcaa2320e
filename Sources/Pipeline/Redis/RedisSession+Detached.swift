import Resilience
import Telemetry
import Wire

/// Sessions without an upstream.
extension RedisSession {
    /// A session that has no upstream and never will: others take its publishes, and everything else is refused with
    /// `reason`. Nil where nobody takes anything.
    public static func detached(
        lane: Lane, listener: ListenerProfile, counters: RedisCounters, peer: ClientPeer, reason: String
    ) -> RedisSession? {
        guard listener.fallback.hasSteps else { return nil }
        var session = RedisSession(lane: lane, listener: listener, counters: counters, peer: peer)
        session.guarding.absence = reason
        return session
    }

    /// The upstream can be used again, and nothing waits that the client's next messages would have to queue behind: the
    /// client had better come again. Not at once: before its breaker knows, an upstream that is away passes for open.
    public var isOver: Bool {
        guard guarding.absence != nil, guarding.hold == nil, guarding.isSettled else { return false }
        return lane.upstreamIsOpen(listener) && lane.shared.spool?.isEmpty(listener.name) ?? true
    }

    /// Keeps the time of a session without an upstream.
    mutating func noteAbsence(at now: Instant) {
        guard guarding.absence != nil else { return }
        let since = guarding.absentSince ?? now.monotonicNanoseconds
        guarding.absentSince = since
        guarding.isSettled = now.monotonicNanoseconds &- since >= Self.detachedNanosecondsMin
    }

    private static let detachedNanosecondsMin: UInt64 = 1_000_000_000

    /// Answers a command in the place of an upstream that is away. Clients introduce themselves first; the rest is
    /// refused, and the connection ends behind it, as it does where nobody takes anything.
    mutating func answerAlone(
        _ reason: String, _ arguments: RedisArguments, _ bytes: Span<UInt8>, inline: Bool, at now: Instant
    ) {
        switch RedisCommandTable.shared.commands[Int(currentCommand)].kind {
        case .publishEntry:
            return publishEntry(arguments, bytes, inline: inline, at: now)
        case .client:
            let isIntroduction =
                arguments.isWord(1, "SETNAME", bytes) || arguments.isWord(1, "SETINFO", bytes)
                || arguments.isWord(1, "NO-EVICT", bytes) || arguments.isWord(1, "NO-TOUCH", bytes)
            if isIntroduction {
                noteClientName(arguments, bytes, after: "SETNAME")
                return guarding.refusal = Self.okay
            }
        case .select:
            if arguments.count == 2, let number = RESPText.integer(bytes, in: arguments.range(1)), number >= 0 {
                databases.sent(number)
                databases.answered(true)
                return guarding.refusal = Self.okay
            }
        case .plain, .publishMessage, .read, .readGroup, .range, .claim, .autoClaim, .inspect, .acknowledge, .delete,
            .subscribe, .unsubscribe, .hello, .begin, .execute, .discard, .reset, .monitor, .replicate:
            break
        }
        guarding.refusal = RESPWriter.error("ERR tacho: \(reason)")
        guarding.isLeaving = true
    }

    private static let okay = Array("+OK\r\n".utf8)
}
