import Synchronization

/// The spans of recent traces, kept in memory on their way to the exporter: what `tacho trace` shows, with or without
/// a collector.
///
/// Event loops pay one lock per batch. Numbers become text when somebody reads, and a reader holds the lock for one
/// trace at a time.
public final class RecentTraces: SpanSink {
    private let store: Mutex<TraceStore>
    private let names: NameTable
    private let catalog: SpanCatalog
    private let next: any SpanSink

    /// - Parameters:
    ///   - capacity: spans that are kept at most; at least 1.
    ///   - names: of consumers, clients and errors.
    ///   - next: takes every batch afterwards.
    public init(capacity: Int, names: NameTable, catalog: SpanCatalog, next: any SpanSink) {
        store = Mutex(TraceStore(capacity: capacity))
        self.names = names
        self.catalog = catalog
        self.next = next
    }

    /// Keeps a copy of each span and hands the batch on.
    public func offer(_ batch: inout [SpanRecord]) {
        store.withLock { store in
            for record in batch { store.keep(record) }
        }
        next.offer(&batch)
    }

    /// Everything that is here of one trace; nil when nothing is.
    public func trace(_ id: TraceID) -> TraceView? {
        store.withLock { $0.spans(of: id) }.map { view(id, $0) }
    }

    /// The traces that began last, the newest first; with a pattern only those that touch such a destination.
    public func list(limit: Int, destination: Glob? = nil) -> [TraceSummary] {
        let filter = TapFilter(destination: destination)
        var summaries: [TraceSummary] = []
        for id in store.withLock({ $0.newestFirst() }) {
            guard summaries.count < limit else { break }
            guard let kept = store.withLock({ $0.spans(of: id) }),
                kept.records.contains(where: { filter.admits(catalog.descriptor($0.descriptor)) })
            else { continue }
            summaries.append(TraceSummary(view(id, kept)))
        }
        return summaries
    }

    private func view(_ id: TraceID, _ kept: (records: [SpanRecord], leftOut: Int)) -> TraceView {
        TraceView(id, of: kept.records, leftOut: kept.leftOut, names, catalog)
    }
}
