package import Logging
package import Telemetry

/// The export thread's work: batches from the queue, through the encoder and the transport, to their entry in the
/// ledger. One request at a time; everything it owns stays on its thread.
package struct ExportWorker: ~Copyable {
    private let configuration: ExportConfiguration
    private let queue: SpanQueue
    private let clock: ExportClock
    private let logger: Logger
    private let observe: @Sendable (ExportObservation) -> Void
    private var encoder: OTLPEncoder
    private var transport: CurlTransport
    private var throttle = LogThrottle()
    private var isFailing = false

    package init(
        configuration: ExportConfiguration, queue: SpanQueue, names: NameTable, catalog: SpanCatalog,
        clock: ExportClock, logger: Logger, observe: @escaping @Sendable (ExportObservation) -> Void
    ) {
        self.configuration = configuration
        self.queue = queue
        self.clock = clock
        self.logger = logger
        self.observe = observe
        encoder = OTLPEncoder(configuration: configuration, names: names, catalog: catalog)
        transport = CurlTransport(configuration: configuration)
    }

    /// Works until a drain has emptied the queue or given up.
    package mutating func run() {
        var records: [SpanRecord] = []
        let delay = UInt64(configuration.scheduleDelayMilliseconds) * 1_000_000
        let limit = min(configuration.batchSize, queue.capacity)
        while queue.nextBatch(into: &records, limit: limit, delayNanoseconds: delay, clock: clock) {
            encoder.groupByService(&records)
            let settled = export(records)
            if settled < records.count {
                queue.settle(dropped: records.count - settled, .shutdown)
                break
            }
            records.removeAll(keepingCapacity: true)
        }
        queue.close()
    }

    /// Sends all of `records` in as many requests as they need. Returns how many of them are settled: fewer than all
    /// when a drain gives up.
    private mutating func export(_ records: [SpanRecord]) -> Int {
        var start = 0
        while start < records.count {
            if let deadline = queue.drainDeadline, clock.now() >= deadline { return start }
            let count = encoder.encode(records, from: start)
            guard count > 0 else {
                queue.settle(dropped: 1, .oversize)
                log("oversize", .warning, "a span is too large to export and was dropped", spans: 1)
                start += 1
                continue
            }
            let canGoOn = send(count)
            start += count
            if !canGoOn { return start }
        }
        return start
    }

    /// Posts the encoded request until it is settled. False when a drain has given up on the receiver.
    private mutating func send(_ spanCount: Int) -> Bool {
        var machine = ExportStateMachine(policy: configuration.retry, spanCount: spanCount, now: clock.now())
        while true {
            let begin = clock.now()
            var bytes = 0
            let answer = post(&bytes)
            let now = clock.now()
            let action = machine.answered(
                answer, now: now, drainDeadline: queue.drainDeadline, random: clock.random())
            observe(
                ExportObservation(
                    outcome: ExportOutcome(action), durationNanoseconds: now - begin, spans: spanCount, bytes: bytes))
            switch action {
            case .settle(let exported, let rejected, let message):
                settle(exported: exported, rejected: rejected, message)
                return true
            case .retry(let nanoseconds, let kind, let message):
                isFailing = true
                log(kind.description, .warning, "export failed and will be repeated", spans: spanCount, message)
                queue.pause(until: now + nanoseconds, clock: clock)
            case .drop(let reason, let kind, let message):
                isFailing = true
                queue.settle(dropped: spanCount, reason)
                log(
                    "\(reason.rawValue) \(kind)", .error, "export failed and its spans were dropped",
                    spans: spanCount, message)
                return reason != .shutdown
            }
        }
    }

    private mutating func post(_ bytes: inout Int) -> ExportAnswer {
        var timeout = configuration.requestTimeoutMilliseconds
        if let deadline = queue.drainDeadline {
            let now = clock.now()
            let left = deadline > now ? (deadline - now) / 1_000_000 : 0
            // libcurl takes 0 for "no limit".
            timeout = max(1, min(timeout, Int(clamping: left)))
        }
        return transport.post(
            encoder.bytes, timeoutMilliseconds: timeout, sentBytes: &bytes,
            isInterrupted: { [queue, clock] in queue.drainDeadline.map { clock.now() >= $0 } ?? false })
    }

    private mutating func settle(exported: Int, rejected: Int, _ message: String) {
        queue.settle(exported: exported)
        if rejected > 0 {
            queue.settle(dropped: rejected, .rejected)
            log("rejected", .error, "the receiver rejected spans", spans: rejected, message)
        } else if !message.isEmpty {
            log("warning", .warning, "the receiver took all spans and warns", spans: exported, message)
        }
        if isFailing {
            isFailing = false
            log("recovered", .notice, "spans are exported again", spans: exported)
        }
    }

    /// One line of a kind per ten seconds: what a peer can cause must not fill a disk.
    private mutating func log(
        _ kind: String, _ level: Logger.Level, _ text: Logger.Message, spans: Int, _ detail: String = ""
    ) {
        guard let heldBack = throttle.admit(kind, now: clock.now()) else { return }
        var metadata: Logger.Metadata = [
            "endpoint": "\(configuration.endpointForDisplay)", "kind": "\(kind)", "spans": "\(spans)",
        ]
        if !detail.isEmpty { metadata["detail"] = "\(detail)" }
        if heldBack > 0 { metadata["repeated"] = "\(heldBack)" }
        logger.log(level: level, text, metadata: metadata)
    }
}

extension ExportOutcome {
    init(_ action: ExportStateMachine.Action) {
        self =
            switch action {
            case .settle(_, let rejected, _): rejected > 0 ? .partiallyAccepted : .accepted
            case .retry(_, let kind, _): .retried(kind)
            case .drop(_, let kind, _): .failed(kind)
            }
    }
}
