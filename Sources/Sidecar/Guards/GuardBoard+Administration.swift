import Gateway
import GuardStore
import Logging
import Pipeline
import Proxy
import Resilience
import Synchronization
import Telemetry

/// What the admin API asks and orders.
struct GuardDesk: GuardAdministration {
    let board: GuardBoard
    let logger: Logger

    func breakers() -> BreakerList {
        let now = SystemClock.unixNanoseconds()
        return board.state.withLock { state in
            BreakerList(breakers: state.entries.map { $0.view(unixNanoseconds: now) })
        }
    }

    func set(_ order: BreakerOrder, key: String, listener: String?) throws(GuardProblem) -> BreakerView {
        let override: BreakerOverride? =
            switch order {
            case .open: .forcedOpen
            case .close: .forcedClosed
            case .auto: nil
            }
        do throws(GuardLookupError) {
            let (view, records) = try board.setOverride(
                override, key: key, listener: listener, now: SystemClock.monotonicNanoseconds(),
                unixNanoseconds: SystemClock.unixNanoseconds())
            logger.notice(
                "an operator has given an order to a breaker",
                metadata: ["listener": "\(view.listener)", "breaker": "\(view.key)", "order": "\(order.rawValue)"])
            for record in records { logger.log(record) }
            return view
        } catch {
            throw Self.problem(error)
        }
    }

    func thresholds(key: String?, listener: String?) throws(GuardProblem) -> ThresholdList {
        let entries = try entries(key, listener)
        return ThresholdList(thresholds: entries.flatMap(\.thresholds))
    }

    func history(key: String?, listener: String?, limit: Int) throws(GuardProblem) -> GuardHistoryList {
        let wanted = try key.map { key throws(GuardProblem) in try entry(key, listener).cell.key }
        let fits: (GuardRecord) -> Bool = { record in
            (wanted == nil || record.key == wanted) && (listener == nil || record.key.listenerName == listener)
        }
        var records = board.state.withLock { state in state.history.newest(limit, where: fits).map(\.view) }
        // What happened before the process began is on disk only.
        guard records.count < limit, let store = board.store, let began = board.beganUnixSeconds else {
            return GuardHistoryList(records: records)
        }
        do throws(StoreFailure) {
            let stored = try store.history(key: wanted?.storedName, limit: limit)
            records += stored.filter { $0.change.unixSeconds < began }.prefix(limit - records.count).compactMap {
                GuardRecordView(stored: $0)
            }
        } catch {
            // A store that nothing was written to has no file yet, and what memory holds is worth more than an error.
            logger.debug("the stored audit trail cannot be read", metadata: ["reason": "\(error)"])
        }
        return GuardHistoryList(records: records)
    }

    func explanation(key: String, listener: String?) throws(GuardProblem) -> ThresholdExplanationView {
        let (entry, last) = try board.state.withLock { state throws(GuardProblem) in
            do throws(GuardLookupError) {
                let entry = state.entries[try GuardBoard.find(key, listener, in: state.entries)]
                var last: [BreakerParameter: GuardRecord] = [:]
                for record in state.history.newest(.max, where: { $0.key == entry.cell.key }) {
                    guard case .threshold(let change) = record.what, last[change.parameter] == nil else { continue }
                    last[change.parameter] = record
                }
                return (entry, last)
            } catch {
                throw Self.problem(error)
            }
        }
        return entry.explanation(lastChanges: last)
    }

    private func entries(_ key: String?, _ listener: String?) throws(GuardProblem) -> [GuardEntry] {
        if let key { return [try entry(key, listener)] }
        let entries = board.state.withLock { $0.entries }
        return entries.filter { listener == nil || $0.cell.key.listenerName == listener }
    }

    private func entry(_ key: String, _ listener: String?) throws(GuardProblem) -> GuardEntry {
        try board.state.withLock { state throws(GuardProblem) in
            do throws(GuardLookupError) {
                return state.entries[try GuardBoard.find(key, listener, in: state.entries)]
            } catch {
                throw Self.problem(error)
            }
        }
    }

    private static func problem(_ error: GuardLookupError) -> GuardProblem {
        switch error {
        case .unknown: .unknownKey
        case .ambiguous(let listeners): .ambiguousKey(listeners)
        }
    }
}

extension GuardEntry {
    fileprivate func explanation(lastChanges: [BreakerParameter: GuardRecord]) -> ThresholdExplanationView {
        let tuner = keyGuard.learning.tuner
        let parameters = BreakerParameter.allCases.map { parameter in
            let record = lastChanges[parameter]
            var lastChange: ThresholdChange?
            if case .threshold(let change)? = record?.what { lastChange = change }
            return ThresholdExplanationView.Parameter(
                parameter: parameter.name,
                sentences: ThresholdExplanation.sentences(
                    parameter, tuner: tuner, evidence: keyGuard.learning.evidence, lastChange: lastChange,
                    changedAt: record.map { UTCTime.text(unixNanoseconds: $0.unixNanoseconds, .milliseconds) }))
        }
        return ThresholdExplanationView(
            listener: cell.key.listenerName, key: cell.key.name, parameters: parameters)
    }
}

extension GuardRecordView {
    /// A record of an earlier run; nil if its key does not read as one of ours.
    fileprivate init?(stored: AuditRecord) {
        guard let space = stored.key.firstIndex(of: " ") else { return nil }
        let key = GuardKey(
            listener: 0, listenerName: String(stored.key[..<space]), operation: .upstream)
        self =
            GuardRecord(
                unixNanoseconds: UInt64(max(0, stored.change.unixSeconds) * 1e9), key: key,
                what: .threshold(stored.change)
            ).view
        self.key = String(stored.key[stored.key.index(after: space)...])
    }
}
