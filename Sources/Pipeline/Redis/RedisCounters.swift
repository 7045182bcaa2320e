import Telemetry

/// The counters of one listener on one lane that every Redis session of both adds to.
public final class RedisCounters: SessionCounters {
    let opaque: [OpaqueReason: Counter]
    let notInjected: [InjectionObstacle: Counter]
    let stripped: Counter
    let uneditedTooLarge: Counter
    let uneditedShape: Counter

    /// By command number: `messaging.operation.name`, for the commands that are traced.
    let operationNames: [NameID]

    private let metrics: MetricsShard
    private let system: [String]
    private let server: [String]
    /// One series per command, made when the command is first seen.
    private var durations: [Histogram?]
    private var failures: [FailureKey: Histogram] = [:]

    private struct FailureKey: Hashable {
        var command: RedisCommandTable.Number
        var error: NameID
    }

    /// Makes the series with fixed labels now, so that they show as zero before anything happens.
    public init(lane: Lane, listener: ListenerProfile) {
        metrics = lane.metrics
        operationNames = RedisCommandTable.shared.commands.map {
            $0.kind == .plain ? .none : lane.name($0.name.lowercased())
        }
        opaque = Dictionary(
            uniqueKeysWithValues: OpaqueReason.allCases.map { [metrics] in
                ($0, metrics.counter(MetricCatalog.opaqueSessions, [listener.name, $0.rawValue]))
            })
        notInjected = Dictionary(
            uniqueKeysWithValues: InjectionObstacle.allCases.map { [metrics] in
                ($0, metrics.counter(MetricCatalog.notInjectedMessages, [listener.name, $0.rawValue]))
            })
        stripped = metrics.counter(MetricCatalog.strippedMessages, [listener.name])
        uneditedTooLarge = metrics.counter(MetricCatalog.uneditedFrames, [listener.name, "frame_too_large"])
        uneditedShape = metrics.counter(MetricCatalog.uneditedFrames, [listener.name, "unknown_shape"])
        system = [listener.system]
        server = [listener.broker.server, listener.broker.port == 0 ? "" : String(listener.broker.port)]
        durations = Array(repeating: nil, count: RedisCommandTable.shared.commands.count)
    }

    /// Measures a command that is not a messaging operation.
    func answered(
        _ command: RedisCommandTable.Number, _ nanoseconds: UInt64, error: NameID, names: NameTable
    ) {
        if error != .none {
            return failure(command, error, names).record(nanoseconds: nanoseconds)
        }
        if let histogram = durations[Int(command)] { return histogram.record(nanoseconds: nanoseconds) }
        let histogram = duration(command, error: "")
        durations[Int(command)] = histogram
        histogram.record(nanoseconds: nanoseconds)
    }

    private func failure(_ command: RedisCommandTable.Number, _ error: NameID, _ names: NameTable) -> Histogram {
        let key = FailureKey(command: command, error: error)
        if let known = failures[key] { return known }
        let made = duration(command, error: names.text(of: error))
        failures[key] = made
        return made
    }

    private func duration(_ command: RedisCommandTable.Number, error: String) -> Histogram {
        let name = RedisCommandTable.shared.commands[Int(command)].name
        return metrics.histogram(MetricCatalog.databaseOperationDuration, system + [name, error] + server)
    }
}
