import Gateway
import Logging
import Pipeline
import Proxy
import Telemetry

/// What the admin API asks of the spool and orders.
///
/// An order takes the messages that are set aside when it begins, a page at a time: what comes back from the broker
/// meanwhile is none of its business.
struct SpoolAdministrator: SpoolAdministration {
    let spool: Spool
    /// Names of the listeners that send on.
    let listeners: Set<String>
    let logger: Logger

    static let pageMessages = 32
    /// One answer has no more bytes of messages than this, and one message.
    private static let pageBytesMax = 4 << 20

    // MARK: Looking

    func streams(_ choice: SpoolChoice, limit: Int) async throws(SpoolProblem) -> SpoolList {
        let overviews = spool.overview().filter { choice.takes($0.key) }
        var streams: [SpoolStreamView] = []
        for one in overviews.prefix(limit) {
            streams.append(
                SpoolStreamView(
                    listener: one.key.listener, database: one.key.database, stream: one.key.streamText,
                    isSentOn: listeners.contains(one.key.listener),
                    waiting: SpoolStreamView.Part(
                        messages: one.waiting.messages, bytes: one.waiting.bytes,
                        oldest: try await oldest(one.key, .waiting)),
                    setAside: SpoolStreamView.Part(
                        messages: one.setAside.amount.messages, bytes: one.setAside.amount.bytes,
                        oldest: try await oldest(one.key, .setAside), reasons: one.setAside.reasons)))
        }
        return SpoolList(
            streams: streams, leftOut: overviews.count - streams.count, messagesMax: spool.limits.messages,
            bytesMax: spool.limits.bytes)
    }

    private func oldest(_ key: SpoolKey, _ state: SpoolState) async throws(SpoolProblem) -> UInt64? {
        try await page(key, state, from: .lowest, most: 1).records.first?.message.id.milliseconds
    }

    func messages(
        _ choice: SpoolChoice, isWaiting: Bool, after: String?, limit: Int
    ) async throws(SpoolProblem) -> SpoolMessageList {
        let filter = try SpoolFilter(choice)
        let state = isWaiting ? SpoolState.waiting : .setAside
        let begin = try after.map { text throws(SpoolProblem) in
            guard let place = SpoolPlace(text) else { throw SpoolProblem.badPlace }
            return place
        }
        var (views, bytes): ([SpoolMessageView], Int) = ([], 0)
        var last: SpoolPlace?
        for one in spool.overview() where choice.takes(one.key) && one.key >= begin?.key ?? one.key {
            var next: StreamEntryID? = filter.lowest
            if let begin, begin.key == one.key { next = begin.id.next }
            while let from = next, from <= filter.highest {
                let page = try await page(one.key, state, from: from, most: Self.pageMessages)
                for record in page.records where filter.takes(record) {
                    guard views.count < limit, views.isEmpty || bytes < Self.pageBytesMax else {
                        return SpoolMessageList(messages: views, next: last?.text)
                    }
                    views.append(SpoolMessageView(record, one.key, state))
                    bytes += record.message.byteCount
                    last = SpoolPlace(key: one.key, id: record.message.id)
                }
                next = page.next
            }
        }
        return SpoolMessageList(messages: views, next: nil)
    }

    private func page(
        _ key: SpoolKey, _ state: SpoolState, from id: StreamEntryID, most: Int
    ) async throws(SpoolProblem) -> Spool.Page {
        do throws(SpoolFailure) {
            return try await spool.page(key, state, from: id, most: most)
        } catch {
            throw .storage(error.reason, done: 0)
        }
    }

    // MARK: Orders

    func redrive(
        _ choice: SpoolChoice, limit: Int, isDryRun: Bool
    ) async throws(SpoolProblem) -> SpoolRedriveReport {
        var report = SpoolRedriveReport(isDryRun: isDryRun, redriven: 0, skipped: 0)
        try await carryOut(choice, limit: limit) { (key, records) throws(SpoolFailure) in
            guard listeners.contains(key.listener) else {
                report.skipped += records.count
                return
            }
            if !isDryRun {
                try await spool.redrive(key, records, unixNanoseconds: SystemClock.unixNanoseconds())
            }
            report.redriven += records.count
        }
        if !isDryRun { note("an operator has redriven spooled messages", report.redriven) }
        return report
    }

    func purge(_ choice: SpoolChoice, limit: Int) async throws(SpoolProblem) -> SpoolPurgeReport {
        var report = SpoolPurgeReport(purged: 0)
        try await carryOut(choice, limit: limit) { (key, records) throws(SpoolFailure) in
            try await spool.purge(key, records)
            report.purged += records.count
        }
        note("an operator has purged spooled messages", report.purged)
        return report
    }

    private func note(_ message: Logger.Message, _ count: Int) {
        logger.notice(message, metadata: ["messages": "\(count)"])
    }

    /// Calls `work` with the chosen messages of one stream after the other, at most so many of them.
    private func carryOut(
        _ choice: SpoolChoice, limit: Int, _ work: (SpoolKey, [SpoolRecord]) async throws(SpoolFailure) -> Void
    ) async throws(SpoolProblem) {
        let filter = try SpoolFilter(choice)
        guard spool.beginOrder() else { throw .busy }
        defer { spool.endOrder() }
        try await checkIDs(choice, filter)
        var left = limit
        try await forEachPage(choice, filter) { (key, records) throws(SpoolFailure) in
            let taken = Array(records.prefix(left))
            if !taken.isEmpty { try await work(key, taken) }
            left -= taken.count
        }
    }

    /// An id that two streams have means neither.
    private func checkIDs(_ choice: SpoolChoice, _ filter: SpoolFilter) async throws(SpoolProblem) {
        guard !choice.ids.isEmpty else { return }
        var found: Set<StreamEntryID> = []
        var ambiguous: StreamEntryID?
        try await forEachPage(choice, filter) { (_, records) throws(SpoolFailure) in
            for record in records where !found.insert(record.message.id).inserted { ambiguous = record.message.id }
        }
        if let ambiguous { throw .ambiguousID("\(ambiguous)") }
    }

    /// Calls `body` with what the filter takes of each page. No more messages of a stream are looked at than there were
    /// when it began, so messages that are set aside again are not met twice.
    private func forEachPage(
        _ choice: SpoolChoice, _ filter: SpoolFilter,
        _ body: (SpoolKey, [SpoolRecord]) async throws(SpoolFailure) -> Void
    ) async throws(SpoolProblem) {
        var done = 0
        do throws(SpoolFailure) {
            for one in spool.overview() where choice.takes(one.key) {
                var left = one.setAside.amount.messages
                var next: StreamEntryID? = filter.lowest
                while let from = next, from <= filter.highest, left > 0 {
                    let page = try await spool.page(
                        one.key, .setAside, from: from, most: min(left, Self.pageMessages))
                    let taken = page.records.filter(filter.takes)
                    if !taken.isEmpty { try await body(one.key, taken) }
                    done += taken.count
                    left -= page.records.count
                    next = page.next
                }
            }
        } catch {
            throw .storage(error.reason, done: done)
        }
    }
}
