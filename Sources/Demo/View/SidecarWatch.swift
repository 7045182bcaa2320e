import Console
import Foundation
import NIOPosix
import Telemetry

/// Asks the running sidecar through its admin API, as an operator would. Answers that do not come are nil.
struct SidecarWatch: Sendable {
    private let client: AdminClient

    init(_ client: AdminClient) { self.client = client }

    func breakers() async -> [BreakerView] {
        let list: BreakerList? = await ask("/api/v1/breakers")
        return list?.breakers ?? []
    }

    func thresholds() async -> [ThresholdView] {
        let list: ThresholdList? = await ask("/api/v1/thresholds")
        return list?.thresholds ?? []
    }

    /// The audit trail, newest first.
    func history(limit: Int) async -> [GuardRecordView] {
        let list: GuardHistoryList? = await ask("/api/v1/thresholds/history", [("limit", "\(limit)")])
        return list?.records ?? []
    }

    func explanation(key: String, listener: String) async -> ThresholdExplanationView? {
        await ask("/api/v1/thresholds/explain", [("key", key), ("listener", listener)])
    }

    func traces(destination: String, limit: Int) async -> [TraceSummary] {
        let list: TraceList? = await ask("/api/v1/traces", [("destination", destination), ("limit", "\(limit)")])
        return list?.traces ?? []
    }

    func trace(_ id: String) async -> TraceView? { await ask("/api/v1/traces/\(id)") }

    func queueTimes() async -> [QueueTime] {
        let lines: [String]? = await blocking { [client] in
            var lines: [String] = []
            try client.stream("/metrics", [], patienceSeconds: 5) { lines.append($0) }
            return lines
        }
        return QueueTime.reading(metrics: lines ?? [])
    }

    private func ask<Value: Decodable & Sendable>(
        _ path: String, _ parameters: [(name: String, value: String?)] = []
    ) async -> Value? {
        await blocking { [client] in
            try JSONDecoder().decode(Value.self, from: Data(try client.document(path, parameters).utf8))
        }
    }

    /// Waiting for libcurl must not hold one of the few threads that tasks run on.
    private func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async -> Value? {
        try? await NIOThreadPool.singleton.runIfActive(work)
    }
}
