import Pipeline
import Telemetry

/// The fields that were added to commands, read out of what was forwarded.
struct AddedFields {
    var traceparent: String
    var correlation: String

    var fields: [String] { ["traceparent", traceparent, "correlationid", correlation] }

    init?(_ forwarded: String) {
        guard let first = Self.all(forwarded).first else { return nil }
        self = first
    }

    private init(traceparent: String, correlation: String) {
        self.traceparent = traceparent
        self.correlation = correlation
    }

    /// Those with our mark, in order.
    static func all(_ forwarded: String) -> [AddedFields] {
        let lines = forwarded.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        return lines.indices.compactMap { index in
            guard lines[index] == "traceparent", index + 2 < lines.count,
                let context = TraceContext(parsing: Array(lines[index + 2].utf8).span),
                InjectionMark.isPresent(in: context)
            else { return nil }
            let hasCorrelation = index + 6 < lines.count && lines[index + 4] == "correlationid"
            return AddedFields(traceparent: lines[index + 2], correlation: hasCorrelation ? lines[index + 6] : "")
        }
    }
}
