public import Pipeline
import Synchronization

/// The way through the stages for events that come and go by HTTP and WebSocket: one lane, used by one task at a time.
///
/// Those tasks run on no event loop of the traffic, so the lane is behind a lock, held for the microsecond that the
/// stages take and never across a wait.
public final class EventTracing: Sendable {
    private let flow: Mutex<EventFlow>
    /// Both clocks.
    public let now: @Sendable () -> Instant

    /// - Parameters:
    ///   - flow: makes the flow, whose lane nobody else may use.
    ///   - now: reads both clocks.
    public init(now: @escaping @Sendable () -> Instant, flow: () -> sending EventFlow) {
        self.flow = Mutex(flow())
        self.now = now
    }

    /// The Unix time in milliseconds.
    var unixMilliseconds: Int64 { Int64(now().unixNanoseconds / 1_000_000) }

    /// Events are about to be appended: what each is to be given.
    func publishing(
        _ events: [EventToPublish]
    ) -> [(open: OpenPublication, attributes: [(name: String, value: String)])] {
        let now = now()
        return flow.withLock { flow in events.map { flow.publishing($0, at: now) } }
    }

    /// Runs the stages of something that is over, and hands finished spans over.
    func finish(_ body: (_ flow: EventFlow, _ now: Instant) -> Void) {
        let now = now()
        flow.withLock { flow in
            body(flow, now)
            flow.flush(at: now)
        }
    }

    /// A consumer begins to ask for events.
    func receiving(
        _ operation: StaticString, stream: [UInt8], group: [UInt8]? = nil, consumer: [UInt8] = []
    ) -> OpenReception {
        let now = now()
        return flow.withLock { $0.receiving(operation, stream: stream, group: group, consumer: consumer, at: now) }
    }
}
