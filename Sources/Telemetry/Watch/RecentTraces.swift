import Synchronization

/// The spans that ended last, kept in memory on their way to the exporter: what `tacho trace` shows, with or without a
/// collector.
///
/// Event loops pay one lock and one copy per batch. Traces are put together, and numbers become text, when somebody
/// reads; a reader holds the lock for a few hundred spans at a time.
public final class RecentTraces: SpanSink {
    private let history: Mutex<SpanHistory>
    private let names: NameTable
    private let catalog: SpanCatalog
    private let next: any SpanSink

    /// Few enough that an event loop never waits long for a reader.
    private static let spansPerHold = 256

    /// - Parameters:
    ///   - capacity: spans that are kept at most; at least 1.
    ///   - names: of consumers, clients and errors.
    ///   - next: takes every batch afterwards.
    public init(capacity: Int, names: NameTable, catalog: SpanCatalog, next: any SpanSink) {
        history = Mutex(SpanHistory(capacity: capacity))
        self.names = names
        self.catalog = catalog
        self.next = next
    }

    /// Keeps a copy of each span and hands the batch on.
    public func offer(_ batch: inout [SpanRecord]) {
        history.withLock { history in history.append(batch.span) }
        next.offer(&batch)
    }

    /// Everything that is here of one trace, which may not be all of it; nil when nothing is.
    public func trace(_ id: TraceID) -> TraceView? {
        collect([id])[id].map { TraceView(id, of: $0, names, catalog) }
    }

    /// The traces that began last, the newest first; with a pattern only those that touch such a destination. What is
    /// about to give way is left out, because its beginning may be gone.
    public func list(limit: Int, destination: Glob? = nil) -> [TraceSummary] {
        let ids = newest(limit, TapFilter(destination: destination))
        let records = collect(Set(ids))
        return ids.compactMap { id in
            records[id].map { TraceSummary(TraceView(id, of: $0, names, catalog)) }
        }
    }

    /// What a first look needs of a span.
    private struct Mention {
        var number: Int
        var trace: TraceID
        var descriptor: SpanDescriptorID
    }

    private func newest(_ limit: Int, _ filter: TapFilter) -> [TraceID] {
        var beginnings: [TraceID: Int] = [:]
        var wanted: Set<TraceID> = []
        var decided: [SpanDescriptorID: Bool] = [:]
        let settled = history.withLock { $0.settled }
        read { mentions in
            for mention in mentions {
                if beginnings[mention.trace] == nil { beginnings[mention.trace] = mention.number }
                let isWanted = decided[mention.descriptor] ?? filter.admits(catalog.descriptor(mention.descriptor))
                decided[mention.descriptor] = isWanted
                if isWanted { wanted.insert(mention.trace) }
            }
        } picking: {
            Mention(number: $0, trace: $1.traceID, descriptor: $1.descriptor)
        }
        let candidates = beginnings.filter { $0.value >= settled && wanted.contains($0.key) }
        return candidates.sorted { $0.value > $1.value }.prefix(limit).map(\.key)
    }

    private func collect(_ ids: Set<TraceID>) -> [TraceID: [SpanRecord]] {
        var found: [TraceID: [SpanRecord]] = [:]
        read { records in
            for record in records { found[record.traceID, default: []].append(record) }
        } picking: { (_, record: borrowing SpanRecord) in
            ids.contains(record.traceID) ? copy record : nil
        }
        return found
    }

    /// Goes through the spans that are here now, oldest first: `pick` under the lock, `take` without it.
    private func read<Picked>(
        _ take: ([Picked]) -> Void, picking pick: (Int, borrowing SpanRecord) -> Picked?
    ) {
        let end = history.withLock { $0.end }
        var number = 0
        while number < end {
            var picked: [Picked] = []
            number = history.withLock { history in
                history.visit(from: number, most: Self.spansPerHold) { number, record in
                    if let one = pick(number, record) { picked.append(one) }
                }
            }
            take(picked)
        }
    }
}
