/// Writes families and their series in one of the exposition formats.
///
/// Prometheus text format 0.0.4 and OpenMetrics 1.0 differ in the metadata lines, in the name of a counter's family, in
/// exemplars and in the closing line; sample lines are the same, so both give the same series.
struct ExpositionWriter {
    private let format: ExpositionFormat
    private(set) var bytes: [UInt8] = []

    init(format: ExpositionFormat) {
        self.format = format
        bytes.reserveCapacity(64 << 10)
    }

    /// Writes one family; nothing at all when it has no series yet.
    mutating func write(_ family: MetricFamily, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        writeMetadata(family)
        let bounds = family.bounds.map { "le=\"\(DecimalText.bound(nanoseconds: $0))\"" } + ["le=\"+Inf\""]
        for sample in samples {
            let labels = labelPairs(family.labels, sample.labelValues)
            switch sample.value {
            case .count(let value): writeLine(family.name, "", labels, "\(value)")
            case .level(let value): writeLine(family.name, "", labels, "\(value)")
            case .real(let value): writeLine(family.name, "", labels, DecimalText.number(value))
            case .distribution(let value): writeHistogram(family.name, bounds, labels, value)
            }
        }
    }

    /// Writes what ends the whole text.
    mutating func finish() {
        if format == .openMetrics { append("# EOF\n") }
    }

    private mutating func writeMetadata(_ family: MetricFamily) {
        switch format {
        case .prometheusText:
            append("# HELP \(family.name) \(Self.escaped(family.help, quotes: false))\n")
            append("# TYPE \(family.name) \(family.kind.rawValue)\n")
        case .openMetrics:
            let name = family.openMetricsName
            append("# TYPE \(name) \(family.kind.rawValue)\n")
            if !family.unit.isEmpty { append("# UNIT \(name) \(family.unit)\n") }
            append("# HELP \(name) \(Self.escaped(family.help, quotes: true))\n")
        }
    }

    private mutating func writeHistogram(
        _ name: String, _ bounds: [String], _ labels: String, _ value: Distribution
    ) {
        let prefix = labels.isEmpty ? "" : labels + ","
        var cumulative: UInt64 = 0
        for (bucket, count) in value.buckets.enumerated() {
            cumulative &+= count
            let exemplar = value.exemplars[bucket]
            writeLine(
                name, "_bucket", prefix + bounds[bucket], "\(cumulative)",
                exemplar: exemplar.isPresent ? exemplar : nil)
        }
        writeLine(name, "_sum", labels, DecimalText.seconds(nanoseconds: value.sumNanoseconds))
        writeLine(name, "_count", labels, "\(cumulative)")
    }

    private mutating func writeLine(
        _ name: String, _ suffix: String, _ labels: String, _ value: String, exemplar: Exemplar? = nil
    ) {
        append(name)
        append(suffix)
        if !labels.isEmpty {
            append("{")
            append(labels)
            append("}")
        }
        append(" ")
        append(value)
        if let exemplar, format == .openMetrics {
            append(" # {trace_id=\"\(exemplar.traceID)\",span_id=\"\(exemplar.spanID)\"} ")
            append(DecimalText.seconds(nanoseconds: exemplar.nanoseconds))
            append(" ")
            append(DecimalText.timestamp(unixNanoseconds: exemplar.unixNanoseconds))
        }
        append("\n")
    }

    /// `a="1",b="2"` without braces. A label with an empty value is the same as no label, so it is left out.
    private func labelPairs(_ names: [String], _ values: [String]) -> String {
        var text = ""
        for (name, value) in zip(names, values) where !value.isEmpty {
            if !text.isEmpty { text += "," }
            text += "\(name)=\"\(Self.escaped(value, quotes: true))\""
        }
        return text
    }

    static func escaped(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { $0 == 0x5c || $0 == 0x0a || $0 == 0x22 }) else { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    private mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }
}

/// Numbers as the exposition formats want them.
enum DecimalText {
    /// Whole nanoseconds as decimal seconds, exactly: no binary fraction comes between.
    static func seconds(nanoseconds: UInt64) -> String {
        let (whole, fraction) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        guard fraction > 0 else { return "\(whole)" }
        return "\(whole).\(digits(fraction, width: 9, trimmingZeros: true))"
    }

    /// A bucket's bound in the canonical form of OpenMetrics 1.0 (`0.005`, `1.0`, `1e-06`), in which the shortest text
    /// that reads back as the same number is the right one.
    static func bound(nanoseconds: UInt64) -> String {
        (Double(nanoseconds) / 1e9).description
    }

    /// Seconds since the Unix epoch with milliseconds, which is all that Prometheus keeps.
    static func timestamp(unixNanoseconds: UInt64) -> String {
        let milliseconds = unixNanoseconds / 1_000_000
        return "\(milliseconds / 1000).\(digits(milliseconds % 1000, width: 3, trimmingZeros: false))"
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value.description
    }

    private static func digits(_ value: UInt64, width: Int, trimmingZeros: Bool) -> String {
        let text = "\(value)"
        let padded = String(repeating: "0", count: width - text.utf8.count) + text
        guard trimmingZeros, let last = padded.lastIndex(where: { $0 != "0" }) else { return padded }
        return String(padded[...last])
    }
}
