public import NIOCore
public import Pipeline

/// What one event loop has of its own: its lane, and the sessions that live on it.
public final class Worker {
    /// This loop's way through the stages.
    public let lane: Lane
    private let metrics: [ListenerMetrics]
    private var counters: [UInt32: AnyObject] = [:]
    private var sessions: [ObjectIdentifier: any DrainableSession] = [:]
    private var ticks = 0

    static let ticksPerSecond = 10
    private var outbound: [any OutboundWork] = []
    private var couriers: [Courier.Key: Courier] = [:]

    /// A worker for the loop that `lane` belongs to.
    public init(lane: Lane, listeners: [ListenerProfile]) {
        self.lane = lane
        metrics = listeners.map { ListenerMetrics(lane.metrics, listener: $0.name) }
    }

    /// What all sessions of one listener on this loop count into, made for the first of them.
    func counters<Machine: SessionMachine>(_ listener: ListenerProfile, of machine: Machine.Type) -> Machine.Counters {
        if let known = counters[listener.number] as? Machine.Counters { return known }
        let made = Machine.Counters(lane: lane, listener: listener)
        counters[listener.number] = made
        return made
    }

    func metrics(_ listener: ListenerProfile) -> ListenerMetrics { metrics[Int(listener.number)] }

    /// Sessions that are open on this loop.
    public var sessionCount: Int { sessions.count }

    func add(_ session: any DrainableSession) {
        sessions[ObjectIdentifier(session)] = session
    }

    func add(_ work: any OutboundWork) { outbound.append(work) }

    /// The courier that goes there, made for the first who needs it.
    func courier(_ key: Courier.Key, make: () -> Courier) -> Courier {
        if let known = couriers[key] { return known }
        let made = make()
        couriers[key] = made
        add(made)
        return made
    }

    func remove(_ id: ObjectIdentifier) {
        sessions[id] = nil
    }

    /// About ten times a second: a look at what the sessions wait for, since a guard decides as often; and with every
    /// tenth the lane's own work.
    func tick() {
        let now = SystemClock.now()
        for session in sessions.values { session.tick(at: now) }
        ticks += 1
        if ticks.isMultiple(of: Self.ticksPerSecond) { lane.tick(at: now) }
    }

    /// Asks every session to end when nothing is under way.
    public func drain() {
        for session in Array(sessions.values) { session.drain() }
    }

    /// Closes the spans of all deliveries that are still open anywhere in the process.
    public func abandonDeliveries() {
        lane.abandonDeliveries(at: SystemClock.now())
    }

    /// Ends every session now, and the sidecar's own connections.
    public func closeAll() {
        for work in outbound { work.stop() }
        outbound = []
        couriers = [:]
        for session in Array(sessions.values) { session.closeBoth() }
    }
}

/// The workers of all event loops. Each is touched on its own loop only.
public final class WorkerSet: Sendable {
    private let bound: [NIOLoopBound<Worker>]

    /// Makes one worker per loop, each on its loop.
    public init(_ group: any EventLoopGroup, makeWorker: @escaping @Sendable (Int) -> Worker) async throws {
        var bound: [NIOLoopBound<Worker>] = []
        for (number, loop) in group.makeIterator().enumerated() {
            bound.append(
                try await loop.submit { NIOLoopBound(makeWorker(number), eventLoop: loop) }.get())
        }
        self.bound = bound
    }

    /// The worker of the loop that we are on.
    func worker(on loop: any EventLoop) -> Worker {
        for candidate in bound where candidate.eventLoop === loop { return candidate.value }
        preconditionFailure("a channel lives on an event loop that has no worker")
    }

    /// Calls `body` on every loop and waits for the results.
    public func forEach<Result: Sendable>(_ body: @escaping @Sendable (Worker) -> Result) async throws -> [Result] {
        var results: [Result] = []
        for candidate in bound {
            results.append(try await candidate.eventLoop.submit { body(candidate.value) }.get())
        }
        return results
    }

    /// Calls `body` on one loop, the same for the same number.
    func submit(_ number: Int, _ body: @escaping @Sendable (Worker, any EventLoop) -> Void) async throws {
        let candidate = bound[number % bound.count]
        try await candidate.eventLoop.submit { body(candidate.value, candidate.eventLoop) }.get()
    }

    /// Ticks every worker ten times a second, until the loops stop.
    public func startTicking() {
        let interval = TimeAmount.nanoseconds(1_000_000_000 / Int64(Worker.ticksPerSecond))
        for candidate in bound {
            candidate.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
                candidate.value.tick()
            }
        }
    }
}
