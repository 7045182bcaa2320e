import Hummingbird
import NIOCore
import ServiceLifecycle
import Synchronization
import Telemetry

/// What one watcher is sent: a line of JSON for each message that its filter lets through, and a line with `skipped`
/// and `dropped` where some were not sent.
///
/// It looks for messages a few times a second, so that no event loop ever wakes anybody. It ends when the client goes
/// away and when the process drains.
struct TapStream: Sendable {
    let subscription: TapSubscription
    let text: TapText
    let readiness: Readiness

    private static let pause = Duration.milliseconds(100)

    func body(of request: Request) -> ResponseBody {
        ResponseBody { writer in
            let isClosed = Flag()
            try await request.body.consumeWithInboundCloseHandler { _ in
                while !isClosed.isSet, readiness.state != .draining, !Task.isShuttingDownGracefully {
                    let lines = lines()
                    if lines.readableBytes > 0 { try await writer.write(lines) }
                    try await Task.sleep(for: Self.pause)
                }
                // What was told until the drain began.
                let last = lines()
                if !isClosed.isSet, last.readableBytes > 0 { try await writer.write(last) }
            } onInboundClosed: {
                isClosed.set()
            }
            try await writer.finish(nil)
        }
    }

    /// Everything since the last call.
    private func lines() -> ByteBuffer {
        var buffer = ByteBuffer()
        let (events, lost) = subscription.take()
        for event in events { JSONLine.append(text.message(event), to: &buffer) }
        if !lost.isNone { JSONLine.append(lost, to: &buffer) }
        return buffer
    }
}

/// Set once, by another task.
private final class Flag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .relaxed) }

    func set() { value.store(true, ordering: .relaxed) }
}
