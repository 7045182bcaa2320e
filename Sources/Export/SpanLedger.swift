/// Why a sampled span did not arrive; the raw value is the metric's label.
public enum DropReason: String, Sendable, Hashable, CaseIterable {
    /// Newer spans needed its place.
    case queueFull = "queue_full"
    /// The receiver refused the whole request, and would again.
    case permanent
    /// The receiver took the request but not this span (partial success).
    case rejected
    /// The last attempt that the retry policy permits has failed.
    case expired
    /// Larger than a request may be.
    case oversize
    /// Left over when the drain ran out of time, or offered after it.
    case shutdown
    /// No exporter is configured.
    case disabled
}

/// What has become of every span that was ever offered: a consistent picture, taken under one lock.
///
/// At any moment `sampled == exported + dropped + queued + inFlight`.
public struct SpanLedger: Sendable, Equatable {
    /// All spans that were offered.
    public var sampled: UInt64 = 0
    /// Taken by the receiver.
    public var exported: UInt64 = 0
    /// Waiting for the export thread.
    public var queued: UInt64 = 0
    /// Taken from the queue and not yet settled.
    public var inFlight: UInt64 = 0
    private var drops = [UInt64](repeating: 0, count: DropReason.allCases.count)

    /// An empty ledger.
    public init() {}

    /// Spans lost for this reason.
    public func dropped(_ reason: DropReason) -> UInt64 { drops[reason.position] }

    /// Spans lost for any reason.
    public var droppedTotal: UInt64 { drops.reduce(0, +) }

    /// Whether every span is accounted for.
    public var isBalanced: Bool { sampled == exported + droppedTotal + queued + inFlight }

    mutating func drop(_ count: Int, _ reason: DropReason) {
        drops[reason.position] += UInt64(count)
    }
}

extension DropReason {
    fileprivate var position: Int {
        switch self {
        case .queueFull: 0
        case .permanent: 1
        case .rejected: 2
        case .expired: 3
        case .oversize: 4
        case .shutdown: 5
        case .disabled: 6
        }
    }
}
