import DequeModule
public import NIOCore
import Wire

/// Carries single commands of many sessions to one Redis on a connection of the sidecar's own, pipelined, and gives each
/// its reply, or says whether it is certainly undone or of unknown fate.
///
/// It signs in first, and selects a database before it writes a command that belongs there: an XADD in a database that
/// could not be selected would go to another one. The connection is opened when it is needed, if the guard of the upstream
/// permits, and closed when nothing was carried for a while, or when replies are overdue. Nothing is tried twice
/// here: whoever orders decides on that.
public struct RedisCourier: OutboundMachine {
    /// Nothing is asked: these are handed over, and no answer is expected.
    public typealias Request = [CourierDelivery]
    /// See `Request`.
    public typealias Answer = Never

    /// How much may be on its way.
    public struct Limits: Sendable, Equatable {
        /// Commands that wait for the connection or for their reply.
        public var commands = 1_024
        /// Bytes of those that wait for the connection.
        public var bytes = 16 << 20
        /// After so long without a command the connection is closed.
        public var idleNanoseconds: UInt64 = 10_000_000_000

        /// Usual values.
        public init() {}
    }

    private enum Link {
        case none
        case opening
        case open
        /// We have closed it, and have not yet heard that it is.
        case closing
    }

    /// What the next reply answers.
    private enum Awaited {
        case signIn(deadline: UInt64)
        case selection(Int, deadline: UInt64)
        /// `isOver`: nobody waits for it any more.
        case order(UInt64, deadline: UInt64, isOver: Bool)

        var deadline: UInt64 {
            switch self {
            case .signIn(let deadline), .selection(_, let deadline), .order(_, let deadline, _): deadline
            }
        }
    }

    private let lane: Lane
    private let listener: ListenerProfile
    private let destination: CourierDestination
    private let credentials: OutboundCredentials?
    private let limits: Limits
    private var link = Link.none
    /// The guard's leave, until it is known whether somebody answers on the connection.
    private var permit: ConnectionPermit?
    private var reader = RedisReplyReader()
    private var waiting = Deque<CourierOrder>()
    private var waitingBytes = 0
    private var awaited = Deque<Awaited>()
    private var isSignedIn = false
    private var database = 0
    /// Nothing is written before signing in, or a selection, is answered.
    private var isSettingUp = false
    /// No deadline is earlier.
    private var nextDeadline = UInt64.max
    private var lastUsedAt: UInt64 = 0
    private var lastReplyAt: UInt64 = 0

    /// A broker that goes on answering is not given up, late as it may be.
    private static let patienceNanoseconds: UInt64 = 1_000_000_000
    private static let calmNanoseconds: UInt64 = 3_600_000_000_000

    /// A courier without a connection.
    public init(
        lane: Lane, listener: ListenerProfile, to destination: CourierDestination = .primary,
        credentials: OutboundCredentials?, limits: Limits = Limits()
    ) {
        self.destination = destination
        self.lane = lane
        self.listener = listener
        self.credentials = credentials
        self.limits = limits
    }

    // MARK: Inputs

    /// Takes one more command.
    public mutating func carry(_ order: CourierOrder, at now: Instant) -> OutboundStep<[CourierDelivery]> {
        var deliveries: [CourierDelivery] = []
        if waiting.count + awaited.count >= limits.commands || waitingBytes + order.command.count > limits.bytes {
            deliveries.append(CourierDelivery(number: order.number, outcome: .undone(.full)))
        } else {
            waiting.append(order)
            waitingBytes += order.command.count
            nextDeadline = min(nextDeadline, order.deadline)
        }
        return proceed(deliveries, at: now)
    }

    /// Looks for what is overdue.
    public mutating func woken(at now: Instant) -> OutboundStep<[CourierDelivery]> {
        let moment = now.monotonicNanoseconds
        guard moment >= nextDeadline else { return proceed([], at: now) }
        let deliveries = expire(at: moment)
        guard let oldest = awaited.first, moment >= giveUpAt(oldest) else { return proceed(deliveries, at: now) }
        tell(.timedOut)
        return closing(deliveries + failAll(.connection), at: now)
    }

    /// Writes what has waited.
    public mutating func connected(at now: Instant) -> OutboundStep<[CourierDelivery]> {
        link = .open
        reader = RedisReplyReader()
        isSignedIn = credentials == nil
        database = 0
        isSettingUp = false
        lastReplyAt = 0
        return proceed([], at: now)
    }

    /// What was written is of unknown fate, what was not is undone.
    public mutating func disconnected(_ outcome: ConnectionOutcome, at now: Instant) -> OutboundStep<[CourierDelivery]>
    {
        if case .closing = link {
            link = .none
            return proceed([], at: now)
        }
        link = .none
        tell(outcome)
        return proceed(failAll(outcome == .timedOut ? .timeout : .connection), at: now)
    }

    /// Replies, or parts of them.
    public mutating func received(_ bytes: ByteBuffer, at now: Instant) -> OutboundStep<[CourierDelivery]> {
        // What comes behind our own close was given up.
        guard case .open = link else { return proceed([], at: now) }
        reader.append(bytes)
        var deliveries: [CourierDelivery] = []
        do throws(RESPError) {
            while let (frame, reply) = try reader.nextFrame() {
                tell(.opened)
                lastReplyAt = now.monotonicNanoseconds
                guard let awaited = awaited.popFirst() else { throw .notACommand }
                answer(awaited, CourierReply(frame: frame, reply: reply), &deliveries)
            }
        } catch {
            deliveries += failAll(.connection)
            return closing(deliveries, at: now)
        }
        return proceed(deliveries, at: now)
    }

    /// Nothing is ever asked.
    public mutating func answered(_ answer: Never, at now: Instant) -> OutboundStep<[CourierDelivery]> {}

    // MARK: Replies

    private mutating func answer(_ awaited: Awaited, _ reply: CourierReply, _ deliveries: inout [CourierDelivery]) {
        switch awaited {
        case .order(let number, _, let isOver):
            if !isOver { deliveries.append(CourierDelivery(number: number, outcome: .answered(reply))) }
        case .signIn:
            isSettingUp = false
            guard let text = reply.failure else { return isSignedIn = true }
            deliveries += failWaiting(.refused(Self.text(text))) { _ in true }
        case .selection(let number, _):
            isSettingUp = false
            guard let text = reply.failure else { return database = number }
            deliveries += failWaiting(.refused(Self.text(text))) { $0.database == number }
        }
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix(200), as: UTF8.self) }

    // MARK: What is next

    private mutating func proceed(_ deliveries: [CourierDelivery], at now: Instant) -> OutboundStep<[CourierDelivery]> {
        var deliveries = deliveries
        let moment = now.monotonicNanoseconds
        var step = OutboundStep<[CourierDelivery]>(wakesAt: moment &+ Self.calmNanoseconds)
        switch link {
        case .opening, .closing:
            break
        case .none where waiting.isEmpty:
            break
        case .none where destination == .secondary:
            // Whoever orders has asked the guard of the secondary, and tells it what comes of it.
            link = .opening
            step.connection = .open
        case .none:
            switch lane.admitConnection(listener, at: now) {
            case .refused(let refusal): deliveries += failWaiting(.guarded(refusal.text)) { _ in true }
            case .passes(let permit):
                self.permit = permit
                link = .opening
                step.connection = .open
            }
        case .open:
            if !waiting.isEmpty || !awaited.isEmpty { lastUsedAt = moment }
            write(&step.bytes)
            if awaited.isEmpty, moment >= lastUsedAt &+ limits.idleNanoseconds { return closing(deliveries, at: now) }
            step.wakesAt = awaited.isEmpty ? lastUsedAt &+ limits.idleNanoseconds : step.wakesAt
        }
        if waiting.isEmpty, awaited.isEmpty { nextDeadline = .max }
        if let oldest = awaited.first { nextDeadline = min(nextDeadline, giveUpAt(oldest)) }
        step.wakesAt = min(step.wakesAt, nextDeadline)
        if !deliveries.isEmpty { step.request = deliveries }
        return step
    }

    /// Writes what may be written now.
    private mutating func write(_ bytes: inout [UInt8]) {
        while !isSettingUp, let order = waiting.first {
            if !isSignedIn, let credentials {
                bytes += RedisExchange.signIn(credentials)
                awaited.append(.signIn(deadline: order.deadline))
                isSettingUp = true
            } else if order.database != database {
                bytes += RedisExchange.selection(order.database)
                awaited.append(.selection(order.database, deadline: order.deadline))
                isSettingUp = true
            } else {
                waiting.removeFirst()
                waitingBytes -= order.command.count
                bytes += order.command
                awaited.append(.order(order.number, deadline: order.deadline, isOver: false))
            }
        }
    }

    private mutating func closing(_ deliveries: [CourierDelivery], at now: Instant) -> OutboundStep<[CourierDelivery]> {
        tell(.failed)
        link = .closing
        var step = OutboundStep<[CourierDelivery]>(wakesAt: now.monotonicNanoseconds &+ Self.calmNanoseconds)
        step.connection = .close
        if !deliveries.isEmpty { step.request = deliveries }
        return step
    }

    // MARK: Failures

    /// Tells the guard of the upstream how the connection does, once.
    private mutating func tell(_ outcome: ConnectionOutcome) {
        guard let permit else { return }
        self.permit = nil
        lane.connected(permit, listener, outcome)
    }

    /// Whose deadline has passed gets nothing any more; its reply is waited for all the same, for those behind it.
    private mutating func expire(at moment: UInt64) -> [CourierDelivery] {
        var deliveries = failWaiting(.timeout) { moment >= $0.deadline }
        nextDeadline = waiting.reduce(.max) { min($0, $1.deadline) }
        for index in awaited.indices {
            guard case .order(let number, let deadline, false) = awaited[index] else { continue }
            guard moment >= deadline else {
                nextDeadline = min(nextDeadline, deadline)
                continue
            }
            awaited[index] = .order(number, deadline: deadline, isOver: true)
            deliveries.append(CourierDelivery(number: number, outcome: .unknown(.timeout)))
        }
        return deliveries
    }

    /// When it is not worth waiting for the oldest reply any longer: another connection may fare better.
    private func giveUpAt(_ oldest: Awaited) -> UInt64 {
        max(oldest.deadline, lastReplyAt == 0 ? 0 : lastReplyAt &+ Self.patienceNanoseconds)
    }

    private mutating func failWaiting(
        _ failure: CourierFailure, where applies: (CourierOrder) -> Bool
    ) -> [CourierDelivery] {
        var deliveries: [CourierDelivery] = []
        waiting.removeAll { order in
            guard applies(order) else { return false }
            deliveries.append(CourierDelivery(number: order.number, outcome: .undone(failure)))
            return true
        }
        waitingBytes = waiting.reduce(0) { $0 + $1.command.count }
        return deliveries
    }

    private mutating func failAll(_ failure: CourierFailure) -> [CourierDelivery] {
        var deliveries: [CourierDelivery] = []
        for case .order(let number, _, false) in awaited {
            deliveries.append(CourierDelivery(number: number, outcome: .unknown(failure)))
        }
        awaited.removeAll()
        deliveries += failWaiting(failure) { _ in true }
        nextDeadline = .max
        return deliveries
    }
}
