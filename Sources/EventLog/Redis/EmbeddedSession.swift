import DequeModule
import Wire

/// One connection to the embedded log, in the Redis protocol: commands in, replies in their order out, and effects for
/// everything that others have to do.
///
/// A value without sockets, clocks and threads. Commands are taken as they come and their replies kept in line until
/// those before them are there, so a pipeline of appends becomes one group commit. A command that must see the effects
/// of those before it (it waits, or speaks to other connections) is held until they are answered.
public struct EmbeddedSession: Sendable {
    /// A command that was taken and is not yet replied to.
    struct Slot {
        /// How its reply comes about.
        enum State {
            case ready([UInt8])
            case request(RedisRequest.Form)
            case question
            case watch([[UInt8]])
            case transaction(RunningTransaction)
        }

        var state: State
        var version: RESPVersion
        /// CLIENT REPLY: the reply is not sent.
        var isSilent: Bool
    }

    /// What CLIENT REPLY has chosen.
    enum ReplyMode {
        case on
        case off
        /// The next command's reply is left out.
        case skipNext
    }

    /// Who this is.
    public private(set) var client: EmbeddedClient
    var writer = RedisReplyWriter()
    var effects: [EmbeddedEffect] = []
    var version = RESPVersion.two
    var replyMode = ReplyMode.on
    var transaction: QueuedTransaction?
    var watched: [(key: [UInt8], revision: UInt64)] = []
    var subscriptions = Subscriptions()

    private var decoder: RESPDecoder
    /// Bytes from the first one of the unfinished frame on.
    private var buffer: [UInt8] = []
    /// Where the decoder stands in it.
    private var scanned = 0
    private var ranges: [Range<Int>] = []
    /// A command that waits for those before it.
    private var held: RedisArguments?
    /// The command that keeps the connection from going on.
    private var blocking: EmbeddedTicket?
    /// The long read that is looked up apart from the other commands, and so has to be over before the next is taken.
    private var looking: EmbeddedTicket?
    private(set) var isClosing = false
    /// The client has not read what it was sent. Until it has, no command is taken, however many are here already: replies
    /// may be much longer than their commands.
    public private(set) var isOutputFull = false

    var slots: Deque<Slot> = []
    /// The ticket of the first slot.
    private var firstSlot: UInt64 = 0

    /// Commands that may wait for their replies before no more are taken.
    static let slotsMax = 1_024
    /// Bytes that are held of commands that cannot be taken yet.
    static let heldBytesMax = 64 << 10
    /// The longest value and the longest command.
    static let frameBytesMax = 64 << 20
    /// The most words of a command, as in Redis.
    static let wordsMax = 1 << 20

    /// A connection that has just been made.
    public init(client: EmbeddedClient) {
        self.client = client
        var limits = RESPLimits()
        limits.bulkBytesMax = Self.frameBytesMax
        limits.elementsMax = Self.wordsMax
        decoder = RESPDecoder(role: .requests, limits: limits)
    }

    // MARK: What the shell asks

    /// Whether more bytes should be read. Otherwise the next answer makes it true again.
    public var wantsInput: Bool {
        !isClosing && (mayRun || buffer.count < Self.heldBytesMax)
    }

    /// Whether nothing is under way.
    public var isIdle: Bool { slots.isEmpty && held == nil }

    /// Whether the client waits in a blocking read.
    public var isBlocked: Bool { blocking != nil }

    /// Bytes for the client since the last call.
    public mutating func takeOutput() -> [UInt8] { writer.take() }

    /// Effects since the last call, in their order.
    public mutating func takeEffects() -> [EmbeddedEffect] {
        var taken: [EmbeddedEffect] = []
        swap(&taken, &effects)
        return taken
    }

    private var mayRun: Bool {
        blocking == nil && looking == nil && held == nil && !isOutputFull && slots.count < Self.slotsMax
    }

    // MARK: Inputs

    /// Bytes from the client.
    public mutating func receive(_ bytes: some Collection<UInt8>, now: UInt64) {
        guard !isClosing else { return }
        buffer.append(contentsOf: bytes)
        run(now: now)
    }

    /// An effect has come to this.
    public mutating func answered(_ answer: EmbeddedAnswer, _ ticket: EmbeddedTicket, now: UInt64) {
        guard ticket.slot >= firstSlot, ticket.slot - firstSlot < UInt64(slots.count) else { return }
        let index = Int(ticket.slot - firstSlot)
        if blocking?.slot == ticket.slot { blocking = nil }
        if looking?.slot == ticket.slot { looking = nil }
        if index == 0, case .request(let form) = slots[0].state, case .store(let outcome) = answer, !slots[0].isSilent {
            // Its turn is now: straight into what goes out.
            writer.version = slots[0].version
            Self.write(outcome, form, to: &writer, now: now)
            slots.removeFirst()
            firstSlot += 1
            flushSlots()
            return resume(now: now)
        }
        var slot = slots[index]
        settle(&slot, answer, ticket, now: now)
        slots[index] = slot
        flushSlots()
        resume(now: now)
    }

    /// The client has too much to read, or has read it.
    public mutating func outputChanged(isFull: Bool, now: UInt64) {
        isOutputFull = isFull
        if !isFull { resume(now: now) }
    }

    /// A message for a subscription of this session.
    public mutating func delivered(_ message: EmbeddedMessage) {
        guard !isClosing, subscriptions.contains(message.subscription) else { return }
        var writer = RedisReplyWriter(version: version)
        switch message.subscription.kind {
        case .name, .shard:
            writer.push(3)
            writer.bulk(message.subscription.kind == .name ? "message" : "smessage")
        case .pattern:
            writer.push(4)
            writer.bulk("pmessage")
            writer.bulk(message.subscription.name)
        }
        writer.bulk(message.channel)
        writer.bulk(message.payload)
        append(.ready(writer.take()), isSilent: false)
        flushSlots()
    }

    private mutating func resume(now: UInt64) {
        if let held, slots.isEmpty {
            self.held = nil
            dispatch(held, now: now)
        }
        if !buffer.isEmpty { run(now: now) }
    }

    // MARK: Commands out of bytes

    private mutating func run(now: UInt64) {
        var start = 0
        while mayRun, !isClosing {
            do throws(RESPError) {
                guard let words = try nextCommand(&start) else { break }
                dispatch(words, now: now)
            } catch {
                refuseProtocol(error)
            }
        }
        // A refusal has thrown away everything already.
        guard !isClosing else { return }
        buffer.removeFirst(start)
        scanned -= start
        if buffer.count > Self.frameBytesMax * 2 { refuseProtocol(.bulkTooLong) }
    }

    /// The next whole command, `start` moved behind it; nil when it is not all here.
    private mutating func nextCommand(_ start: inout Int) throws(RESPError) -> RedisArguments? {
        // A second reference, not a copy: the decoder changes while it looks at the bytes.
        let bytes = buffer
        while scanned < bytes.count {
            switch try decoder.next(in: bytes.span, at: &scanned) {
            case .needsMore: return nil
            case .announced: continue
            case .token(let token):
                var words: RedisArguments?
                if token.kind == .inlineCommand {
                    let line = start + token.valueRange.lowerBound..<start + token.valueRange.upperBound
                    guard let split = InlineWords.split(bytes.span.extracting(line)) else { throw .malformedValue }
                    words = RedisArguments(words: split)
                } else if token.kind == .bulkString {
                    ranges.append(token.valueRange)
                    if token.endsFrame { words = RedisArguments(bytes, from: start, ranges) }
                }
                guard token.endsFrame else { continue }
                start = scanned
                ranges.removeAll(keepingCapacity: true)
                if let words, words.count > 0 { return words }
            }
        }
        return nil
    }

    /// Bytes that are not a command end the connection, as they do in Redis.
    private mutating func refuseProtocol(_ error: RESPError) {
        let reason =
            switch error {
            case .tooManyElements: "invalid multibulk length"
            case .notACommand: "expected '$'"
            case .bulkTooLong: "invalid bulk length"
            case .lineTooLong: "too big inline request"
            case .malformedValue: "unbalanced quotes in request"
            case .malformedLength: "invalid bulk length"
            case .unknownType, .malformedLineEnd, .tooDeep: "malformed request"
            }
        var writer = RedisReplyWriter()
        writer.error("ERR Protocol error: \(reason)")
        append(.ready(writer.take()), isSilent: false)
        flushSlots()
        close()
    }

    mutating func close() {
        isClosing = true
        buffer = []
        scanned = 0
        effects.append(.close)
    }

    // MARK: Replies in line

    /// Puts a command at the end of the line.
    @discardableResult
    mutating func append(_ state: Slot.State, isSilent: Bool? = nil) -> EmbeddedTicket {
        let silent = isSilent ?? takesSilence()
        slots.append(Slot(state: state, version: version, isSilent: silent))
        return EmbeddedTicket(slot: firstSlot + UInt64(slots.count - 1))
    }

    private mutating func takesSilence() -> Bool {
        switch replyMode {
        case .on: return false
        case .off: return true
        case .skipNext:
            replyMode = .on
            return true
        }
    }

    /// Replies at once to a command, behind those that wait.
    mutating func reply(_ body: (inout RedisReplyWriter) -> Void) {
        var writer = RedisReplyWriter(version: version)
        body(&writer)
        append(.ready(writer.take()))
    }

    mutating func replyError(_ message: String) { reply { $0.error(message) } }

    /// Sends what is at the front of the line and ready.
    mutating func flushSlots() {
        while let first = slots.first, case .ready(let bytes) = first.state {
            if !first.isSilent { writer.append(raw: bytes) }
            slots.removeFirst()
            firstSlot += 1
        }
    }

    // MARK: Taking a command

    private mutating func dispatch(_ words: RedisArguments, now: UInt64) {
        defer { flushSlots() }
        do throws(RedisCommandError) {
            let (command, subcommand) = try RedisCatalog.find(words)
            if subscriptions.count > 0, version == .two, !command.isAllowedWhileSubscribed {
                throw RedisCommandError(
                    "ERR Can't execute '\(command.lowercased)': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                        + "RESET are allowed in this context")
            }
            if transaction != nil, !command.isTransactionControl {
                try queue(command, subcommand, words)
            } else if command.needsSilence(words), !slots.isEmpty {
                held = words.detached
            } else {
                try perform(command, subcommand, words, now: now)
            }
        } catch {
            transaction?.isAborted = true
            replyError(error.message)
        }
    }

    private mutating func perform(
        _ command: RedisCommand, _ subcommand: String, _ words: RedisArguments, now: UInt64
    ) throws(RedisCommandError) {
        if let request = try RedisRequest.parse(command, subcommand, words, now: now) {
            let unit = StreamUnit([request.command], nowUnixMilliseconds: now)
            let ticket = append(.request(request.form))
            if let milliseconds = request.blockMilliseconds {
                blocking = ticket
                effects.append(.wait(unit, milliseconds: UInt64(milliseconds), ticket))
            } else if request.command.isLongRead, slots.count == 1 {
                looking = ticket
                effects.append(.look(unit, ticket))
            } else {
                effects.append(.submit(unit, ticket))
            }
        } else if let question = try self.question(command, subcommand, words) {
            effects.append(.ask(question, append(.question)))
        } else if command.isTransactionControl {
            try controlTransaction(command, words, now: now)
        } else {
            try performHere(command, subcommand, words, now: now)
        }
    }

    mutating func rename(_ name: [UInt8]) {
        client.name = name
        effects.append(.named(name))
    }
}
