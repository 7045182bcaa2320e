/// The two text forms in which metrics are served, and the choice between them.
public enum ExpositionFormat: Sendable, Hashable {
    /// Prometheus text format 0.0.4, for people and old scrapers. It has no exemplars: one would fail the whole scrape.
    case prometheusText
    /// OpenMetrics 1.0, with units and exemplars.
    case openMetrics

    /// The value of the `Content-Type` header, without which Prometheus 3 refuses a scrape.
    public var contentType: String {
        switch self {
        case .prometheusText: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The best format for an `Accept` header (RFC 9110, section 12.5.1).
    ///
    /// The higher quality wins, then the more specific range; types and versions that we do not serve are passed over.
    /// With nothing in common the answer is 0.0.4, which every scraper reads.
    public static func negotiate(accept: String?) -> ExpositionFormat {
        let ranges = (accept ?? "*/*").split(separator: ",").compactMap(MediaRange.init(parsing:))
        let plain = preference(for: .prometheusText, in: ranges)
        let open = preference(for: .openMetrics, in: ranges)
        return open > plain ? .openMetrics : .prometheusText
    }

    /// How much the client wants a format: the quality of the most specific range that matches, then how specific
    /// that range was. (0, 0) when it does not want it at all.
    private static func preference(for format: ExpositionFormat, in ranges: [MediaRange]) -> (Double, Int) {
        var best: (quality: Double, specificity: Int)?
        for range in ranges {
            guard let specificity = range.specificity(for: format) else { continue }
            if best == nil || specificity > best!.specificity { best = (range.quality, specificity) }
        }
        guard let best, best.quality > 0 else { return (0, 0) }
        return (best.quality, best.specificity)
    }

    fileprivate var mediaType: (type: String, subtype: String, version: String) {
        switch self {
        case .prometheusText: ("text", "plain", "0.0.4")
        case .openMetrics: ("application", "openmetrics-text", "1.0.0")
        }
    }
}

/// One element of an `Accept` header. Parameters other than `q` and `version` are of no interest here.
private struct MediaRange {
    let type: String
    let subtype: String
    var version: String?
    var quality = 1.0

    init?(parsing text: Substring) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(Self.trimmed)
        let names = parts[0].lowercased().split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2 else { return nil }
        type = String(names[0])
        subtype = String(names[1])
        for parameter in parts.dropFirst() {
            let pair = parameter.split(separator: "=", maxSplits: 1).map(Self.trimmed)
            guard pair.count == 2 else { continue }
            switch pair[0].lowercased() {
            case "version":
                version = pair[1].filter { $0 != "\"" }
            case "q":
                guard let value = Double(pair[1]), (0...1).contains(value) else { return nil }
                quality = value
            default:
                break
            }
        }
    }

    /// 3 for the exact type and version, down to 0 for `*/*`; nil when the range does not cover the format.
    func specificity(for format: ExpositionFormat) -> Int? {
        let wanted = format.mediaType
        if type == "*" { return subtype == "*" ? 0 : nil }
        guard type == wanted.type else { return nil }
        if subtype == "*" { return 1 }
        guard subtype == wanted.subtype else { return nil }
        guard let version else { return 2 }
        return version == wanted.version ? 3 : nil
    }

    private static func trimmed(_ text: Substring) -> String {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(text.drop(while: blank).reversed().drop(while: blank).reversed())
    }
}
