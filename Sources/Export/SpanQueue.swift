import Synchronization
public import Telemetry

/// Where finished spans wait for the export thread, and the ledger of all that were ever offered.
///
/// Event loops only ever take one lock for the time of a copy. When the queue is full the oldest spans give way:
/// what happens now is worth more than what happened before an outage. Queue and ledger share their lock, so the
/// ledger's equation holds in every snapshot.
public final class SpanQueue: SpanSink {
    private struct State: ~Copyable {
        var ring: SpanRing
        var ledger = SpanLedger()
        /// The export thread sleeps and wants to be woken by this many spans.
        var awaitedCount: Int?
        var isFlushRequested = false
        /// Set once a drain has begun: when it gives up.
        var drainDeadline: UInt64?
        /// Set once nobody takes spans any more, or nobody ever does.
        var refusal: DropReason?
    }

    /// Spans that wait at most.
    public let capacity: Int
    private let state: Mutex<State>
    private let wake = WakeSignal()

    /// How many records move per hold of the lock: few enough that an event loop never waits long for it.
    private static let recordsPerHold = 256

    /// With `isEnabled` false every span is counted as dropped, because no exporter takes any.
    public init(capacity: Int, isEnabled: Bool = true) {
        self.capacity = max(capacity, 1)
        state = Mutex(
            State(ring: SpanRing(capacity: isEnabled ? max(capacity, 1) : 1), refusal: isEnabled ? nil : .disabled))
    }

    /// Takes all of `batch`, at the cost of the oldest spans if need be.
    public func offer(_ batch: inout [SpanRecord]) {
        guard !batch.isEmpty else { return }
        let mustWake = state.withLock { state in Self.take(batch.span, &state) }
        if mustWake { wake.signal() }
        batch.removeAll(keepingCapacity: true)
    }

    /// The ledger as it is now.
    public func snapshot() -> SpanLedger {
        state.withLock { state in
            var ledger = state.ledger
            ledger.queued = UInt64(state.ring.count)
            return ledger
        }
    }

    /// Has the export thread send what there is without waiting for the schedule.
    public func flush() {
        state.withLock { $0.isFlushRequested = true }
        wake.signal()
    }

    /// True when the export thread must be woken.
    private static func take(_ records: Span<SpanRecord>, _ state: inout State) -> Bool {
        state.ledger.sampled += UInt64(records.count)
        if let refusal = state.refusal {
            state.ledger.drop(records.count, refusal)
            return false
        }
        let newest = records.extracting(last: state.ring.capacity)
        let displaced = max(state.ring.count + newest.count - state.ring.capacity, 0)
        state.ring.removeFirst(displaced)
        state.ring.append(newest)
        state.ledger.drop(displaced + records.count - newest.count, .queueFull)
        guard let awaited = state.awaitedCount, state.ring.count >= awaited else { return false }
        state.awaitedCount = nil
        return true
    }
}

/// The side of the export thread.
extension SpanQueue {
    /// Waits until `limit` spans are there, the delay has passed, or a flush or drain wants them, then moves up to
    /// `limit` spans into `records`, which may get none. False when a drain has emptied the queue: the end.
    package func nextBatch(
        into records: inout [SpanRecord], limit: Int, delayNanoseconds: UInt64, clock: ExportClock
    ) -> Bool {
        let isDraining = awaitSpans(limit, until: clock.now() + delayNanoseconds, clock)
        while records.count < limit {
            let moved = state.withLock { state in
                let amount = min(state.ring.count, limit - records.count, Self.recordsPerHold)
                state.ring.moveFirst(amount, to: &records)
                state.ledger.inFlight += UInt64(amount)
                return amount
            }
            if moved == 0 { break }
        }
        // A drain that began after the wait may have left spans behind it: only the next call can tell.
        return !records.isEmpty || !isDraining
    }

    /// Writes the fate of spans that were taken with `nextBatch` into the ledger.
    package func settle(exported: Int) {
        state.withLock { state in
            state.ledger.inFlight -= UInt64(exported)
            state.ledger.exported += UInt64(exported)
        }
    }

    /// As `settle(exported:)`, for spans that are lost.
    package func settle(dropped count: Int, _ reason: DropReason) {
        state.withLock { state in
            state.ledger.inFlight -= UInt64(count)
            state.ledger.drop(count, reason)
        }
    }

    /// Waits out a retry delay; returns early when a drain begins.
    package func pause(until deadline: UInt64, clock: ExportClock) {
        let wasDraining = drainDeadline != nil
        while true {
            let now = clock.now()
            if now >= deadline || (!wasDraining && drainDeadline != nil) { return }
            clock.wait(wake, deadline - now)
        }
    }

    /// From now on the queue is emptied without delay, until `deadline`. The first call counts.
    package func beginDrain(deadline: UInt64) {
        state.withLock { state in
            if state.drainDeadline == nil { state.drainDeadline = deadline }
        }
        wake.signal()
    }

    /// When the drain gives up; nil while none is under way.
    package var drainDeadline: UInt64? {
        state.withLock { $0.drainDeadline }
    }

    /// Nobody takes spans any more: what waits is dropped, and so is what is offered from now on.
    package func close() {
        state.withLock { state in
            state.ledger.drop(state.ring.count, .shutdown)
            state.ring.removeFirst(state.ring.count)
            if state.refusal == nil { state.refusal = .shutdown }
        }
    }

    /// Whether a drain is what ended the wait.
    private func awaitSpans(_ count: Int, until deadline: UInt64, _ clock: ExportClock) -> Bool {
        while true {
            let now = clock.now()
            let (isReady, isDraining) = state.withLock { state in
                let isDraining = state.drainDeadline != nil
                let isReady =
                    isDraining || state.ring.count >= count || state.isFlushRequested || now >= deadline
                if isReady { state.isFlushRequested = false }
                state.awaitedCount = isReady ? nil : count
                return (isReady, isDraining)
            }
            if isReady { return isDraining }
            clock.wait(wake, deadline - now)
        }
    }
}
