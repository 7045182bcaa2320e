/// How long messages of one destination waited on the bus, read from the sidecar's own metrics.
struct QueueTime: Sendable, Equatable {
    var destination: String
    var group: String
    var messages: Int
    var meanSeconds: Double
    /// The least bound of a bucket below which half, and 99 of 100, of the messages lie; nil above the last bound.
    var medianBoundSeconds: Double?
    var p99BoundSeconds: Double?

    private struct Series {
        var sum = 0.0
        var buckets: [(bound: Double, count: Int)] = []
    }

    /// Reads `tacho_queue_seconds` from an exposition in text format 0.0.4.
    static func reading(metrics lines: [String]) -> [QueueTime] {
        var series: [[String]: Series] = [:]
        for line in lines where line.hasPrefix("tacho_queue_seconds_") {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]),
                let destination = label("messaging_destination_name", of: line)
            else { continue }
            let key = [destination, label("messaging_consumer_group_name", of: line) ?? ""]
            if line.hasPrefix("tacho_queue_seconds_sum") {
                series[key, default: Series()].sum = value
            } else if let bound = label("le", of: line) {
                series[key, default: Series()].buckets.append((Double(bound) ?? .infinity, Int(value)))
            }
        }
        return series.sorted { $0.key.lexicographicallyPrecedes($1.key) }.compactMap { key, series in
            guard let count = series.buckets.last?.count, count > 0 else { return nil }
            return QueueTime(
                destination: key[0], group: key[1], messages: count, meanSeconds: series.sum / Double(count),
                medianBoundSeconds: bound(series, share: 0.5), p99BoundSeconds: bound(series, share: 0.99))
        }
    }

    private static func bound(_ series: Series, share: Double) -> Double? {
        let wanted = share * Double(series.buckets.last?.count ?? 0)
        let bound = series.buckets.first { Double($0.count) >= wanted }?.bound
        return bound.flatMap { $0.isFinite ? $0 : nil }
    }

    /// The value of a label; the names of the demonstration need no escapes.
    private static func label(_ name: String, of line: String) -> String? {
        guard let begin = line.firstRange(of: name + "=\"")?.upperBound,
            let end = line[begin...].firstIndex(of: "\"")
        else { return nil }
        return String(line[begin..<end])
    }
}
