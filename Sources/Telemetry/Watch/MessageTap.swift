public import Synchronization

/// Where event loops tell of every message while somebody watches; one relaxed load per step when nobody does.
public final class MessageTap: Sendable {
    /// More at once are refused: each costs the event loops time.
    public static let watchersMax = 16

    @usableFromInline let watched = Atomic(false)
    private let watchers = Mutex<[TapWatcher]>([])
    private let catalog: SpanCatalog

    /// - Parameter catalog: numbers of descriptors become destinations here, once per watcher and descriptor.
    public init(catalog: SpanCatalog) {
        self.catalog = catalog
    }

    /// Whether an event would reach anybody. To be asked before one is made.
    @inlinable @inline(__always)
    public var isWatched: Bool { watched.load(ordering: .relaxed) }

    /// Shows an event to those who want it. Never waits for a watcher.
    public func emit(_ event: TapEvent) {
        for watcher in watchers.withLock({ $0 }) { watcher.show(event, catalog) }
    }

    /// Begins to watch, until the subscription is let go; nil when too many do already.
    public func watch(_ filter: TapFilter) -> TapSubscription? {
        let watcher = TapWatcher(filter)
        let isAdmitted = watchers.withLock { watchers in
            guard watchers.count < Self.watchersMax else { return false }
            watchers.append(watcher)
            watched.store(true, ordering: .relaxed)
            return true
        }
        return isAdmitted ? TapSubscription(watcher, of: self) : nil
    }

    fileprivate func remove(_ watcher: TapWatcher) {
        watchers.withLock { watchers in
            watchers.removeAll { $0 === watcher }
            watched.store(!watchers.isEmpty, ordering: .relaxed)
        }
    }
}

/// The watching of one watcher; it ends with this object.
public final class TapSubscription: Sendable {
    private let watcher: TapWatcher
    private let tap: MessageTap

    fileprivate init(_ watcher: TapWatcher, of tap: MessageTap) {
        self.watcher = watcher
        self.tap = tap
    }

    deinit { tap.remove(watcher) }

    /// Everything since the last call, in the order in which it was told.
    public func take() -> (events: [TapEvent], lost: TapLoss) { watcher.take() }
}

/// One watcher's filter and buffer.
private final class TapWatcher: Sendable {
    private let filter: TapFilter
    private let buffer: Mutex<TapBuffer>

    /// A reader comes by several times a second, so a second's worth is plenty.
    private static let capacityMin = 256

    init(_ filter: TapFilter) {
        self.filter = filter
        buffer = Mutex(
            TapBuffer(
                limitPerSecond: filter.limitPerSecond, capacity: max(Self.capacityMin, filter.limitPerSecond)))
    }

    func show(_ event: TapEvent, _ catalog: SpanCatalog) {
        guard filter.admits(event) else { return }
        let isKnown = buffer.withLock { buffer in
            guard let isWanted = filter.destination == nil ? true : buffer.wants(event.descriptor) else { return false }
            if isWanted { buffer.append(event) }
            return true
        }
        guard !isKnown else { return }
        // The catalog has a lock of its own, which is not taken under this one.
        let isWanted = filter.admits(catalog.descriptor(event.descriptor))
        buffer.withLock { buffer in
            buffer.decide(event.descriptor, wanted: isWanted)
            if isWanted { buffer.append(event) }
        }
    }

    func take() -> (events: [TapEvent], lost: TapLoss) {
        buffer.withLock { $0.take() }
    }
}
