import NIOCore
import Resilience
import Telemetry
import Wire

/// Spooled messages to a Redis, once: every XADD carries its id, and Redis refuses an id that is not above the last.
///
/// So after a crash, or a reply that was lost, the second attempt is refused, and a look (XRANGE) tells whether the entry
/// is there. If it is not, others have published meanwhile with higher ids; then the entry gets a new id, which is noted
/// on disk before it is used.
struct RedisSpoolDelivery: SpoolDelivery {
    let batchMessages = 16
    let signsInFirst = false
    /// The id tells at any time.
    let isInDoubt = false
    private var exchange: RedisExchange
    private var question = Question.none
    private var current: (message: SpooledMessage, entry: SpooledEntry, id: StreamEntryID, key: SpoolKey)?
    /// New ids of the current message that were too low again.
    private var renumberings = 0

    /// New ids lie at most so far in the future, so that those of others that follow do too.
    private static let leadMillisecondsMax: UInt64 = 256

    private enum Question {
        case none
        /// XADD.
        case entry
        /// XRANGE.
        case look
        /// XINFO STREAM. `isAbsent`: there is no entry of this id, where otherwise there is somebody else's.
        case top(isAbsent: Bool)
    }

    init(credentials: OutboundCredentials?) { exchange = RedisExchange(credentials: credentials) }

    var deadline: UInt64? { exchange.deadline }

    mutating func opened(until deadline: UInt64) -> SpoolProgress {
        exchange.reset()
        return SpoolProgress(.isReady)
    }

    mutating func closed() {
        exchange.reset()
        question = .none
    }

    mutating func loaded() {}

    mutating func deliver(_ message: SpooledMessage, _ key: SpoolKey, until deadline: UInt64) -> SpoolProgress {
        guard case .redis(let entry) = message.content else {
            return SpoolProgress(.refused("a message of another protocol"))
        }
        if current?.message.id != message.id || current?.key != key { renumberings = 0 }
        let id = message.note ?? SpooledEntry.promisedID(of: message.answeredID, base: entry.sequenceBase)
        current = (message, entry, id, key)
        return ask(.entry, entry.command(as: id), key, until: deadline)
    }

    mutating func received(_ bytes: ByteBuffer, until deadline: UInt64) -> SpoolProgress {
        do throws(RESPError) {
            switch try exchange.take(bytes) {
            case .nothing: return SpoolProgress(.waits)
            case .more(let bytes): return .asking(bytes)
            case .answer(let reply): return take(reply, until: deadline)
            }
        } catch {
            return SpoolProgress(.broken(.connection, "an answer was not understood (\(error.rawValue))"))
        }
    }

    private mutating func take(_ reply: RedisReply, until deadline: UInt64) -> SpoolProgress {
        let question = question
        self.question = .none
        guard let (_, entry, id, key) = current else {
            return SpoolProgress(.broken(.connection, "an answer came that nothing was asked for"))
        }
        if case .failure(let text) = reply { return refused(question, text, id, key, until: deadline) }
        switch question {
        case .none:
            return SpoolProgress(.broken(.connection, "an answer came that nothing was asked for"))
        case .entry:
            return arrived(id == promised ? .forwarded : .newID, result: .succeeded)
        case .look:
            let found = reply.array?.first?.array?.last?.array?.map { $0.text ?? [] }
            if found == entry.fields { return arrived(.alreadyThere) }
            let words = [Array("XINFO".utf8), Array("STREAM".utf8), key.stream]
            return ask(.top(isAbsent: found == nil), RedisExchange.encode(words), key, until: deadline)
        case .top(let isAbsent):
            return renumber(reply, id, entry, isAbsent: isAbsent)
        }
    }

    private var promised: StreamEntryID? {
        current.map { SpooledEntry.promisedID(of: $0.message.answeredID, base: $0.entry.sequenceBase) }
    }

    private mutating func arrived(_ outcome: SpoolForwarding, result: CallResult? = nil) -> SpoolProgress {
        guard let (_, _, id, _) = current, let promised else { return SpoolProgress(.waits) }
        renumberings = 0
        return SpoolProgress(
            .delivered(
                SpoolArrival(
                    outcome: outcome, messageID: .streamEntry(milliseconds: id.milliseconds, sequence: id.sequence),
                    promised: promised.description)), result: result)
    }

    /// Others have published with higher ids. A new one must be above the last at the moment at which it arrives; the
    /// more others publish, the further ahead it is chosen.
    private mutating func renumber(
        _ reply: RedisReply, _ id: StreamEntryID, _ entry: SpooledEntry, isAbsent: Bool
    ) -> SpoolProgress {
        let pairs = reply.array ?? []
        let position = pairs.firstIndex { $0.text == Array("last-generated-id".utf8) }
        guard let position, position + 1 < pairs.count,
            let top = pairs[position + 1].text.flatMap({ StreamEntryID($0) })
        else { return SpoolProgress(.broken(.connection, "XINFO STREAM tells no last id")) }
        // The last entry of the stream was ours, and somebody has deleted it since: nobody else comes to have this id.
        if isAbsent, top == id { return arrived(.alreadyThere) }
        var next = StreamEntryID(milliseconds: top.milliseconds, sequence: top.sequence)
        let (sequence, overflows) = top.sequence.addingReportingOverflow(SpooledEntry.sequenceGap)
        if renumberings == 0, !overflows {
            next.sequence = sequence
        } else {
            let lead = min(1 << UInt64(min(renumberings, 16)), Self.leadMillisecondsMax)
            next = StreamEntryID(milliseconds: top.milliseconds &+ lead, sequence: entry.sequenceBase)
        }
        renumberings += 1
        return SpoolProgress(.note(next))
    }

    /// Errors that are about us or the way to the broker, not about the message.
    private static let conditions: Set<String> = [
        "NOAUTH", "WRONGPASS", "NOPERM", "MOVED", "ASK", "UNKILLABLE", "NOTBUSY", "NOPROTO",
    ]

    private mutating func refused(
        _ question: Question, _ text: [UInt8], _ id: StreamEntryID, _ key: SpoolKey, until deadline: UInt64
    ) -> SpoolProgress {
        let code = String(decoding: text.prefix { $0 != UInt8(ascii: " ") }.prefix(32), as: UTF8.self)
        let result = RedisErrorClass.result(text.span, 0..<text.count)
        if let failure = result.failure {
            return SpoolProgress(.failed(failure, "the broker refuses: \(code)"), result: result)
        }
        guard case .entry = question, !Self.conditions.contains(code) else {
            return SpoolProgress(.failed(.unavailable, "the broker refuses: \(code)"), result: result)
        }
        guard String(decoding: text, as: UTF8.self).contains("equal or smaller") else {
            return SpoolProgress(.refused(code), result: result)
        }
        var progress = ask(
            .look, RedisExchange.encode([Array("XRANGE".utf8), key.stream, id.bytes, id.bytes]), key, until: deadline)
        progress.result = result
        return progress
    }

    private mutating func ask(
        _ question: Question, _ command: [UInt8], _ key: SpoolKey, until deadline: UInt64
    ) -> SpoolProgress {
        self.question = question
        return .asking(exchange.ask(command, database: key.database, until: deadline))
    }
}
