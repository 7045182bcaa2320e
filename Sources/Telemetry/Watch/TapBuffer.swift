/// What waits for one watcher: bounded, with an account of what did not fit.
struct TapBuffer {
    let limitPerSecond: Int
    let capacity: Int
    private var events: [TapEvent] = []
    private var lost = TapLoss()
    /// The second that is being counted, and how many it has had.
    private var second: UInt64 = 0
    private var inSecond = 0
    /// Which descriptors the watcher wants, decided on first sight. Bounded as the catalog is.
    private var wanted: [SpanDescriptorID: Bool] = [:]

    init(limitPerSecond: Int, capacity: Int) {
        self.limitPerSecond = limitPerSecond
        self.capacity = capacity
    }

    /// Nil until `decide`.
    func wants(_ descriptor: SpanDescriptorID) -> Bool? { wanted[descriptor] }

    mutating func decide(_ descriptor: SpanDescriptorID, wanted isWanted: Bool) {
        wanted[descriptor] = isWanted
    }

    /// The rate is counted in seconds of the events' own clock.
    mutating func append(_ event: TapEvent) {
        let second = event.unixNanoseconds / 1_000_000_000
        if second != self.second {
            self.second = second
            inSecond = 0
        }
        guard inSecond < limitPerSecond else {
            lost.skipped += 1
            return
        }
        inSecond += 1
        guard events.count < capacity else {
            lost.dropped += 1
            return
        }
        events.append(event)
    }

    /// Everything since the last call.
    mutating func take() -> (events: [TapEvent], lost: TapLoss) {
        defer {
            events.removeAll(keepingCapacity: false)
            lost = TapLoss()
        }
        return (events, lost)
    }
}

/// Messages that a watcher was not shown.
public struct TapLoss: Codable, Hashable, Sendable {
    /// Beyond the watcher's own rate limit.
    public var skipped: UInt64
    /// The watcher reads more slowly than messages come.
    public var dropped: UInt64

    /// By default none.
    public init(skipped: UInt64 = 0, dropped: UInt64 = 0) {
        self.skipped = skipped
        self.dropped = dropped
    }

    /// Everything was shown.
    public var isNone: Bool { skipped == 0 && dropped == 0 }
}
