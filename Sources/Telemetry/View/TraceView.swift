/// One trace as text and numbers: what the admin API serves and the terminal draws.
public struct TraceView: Codable, Hashable, Sendable {
    /// 32 lowercase hex digits.
    public var traceID: String
    /// When the first span began, RFC 3339 in UTC.
    public var start: String
    /// From the beginning of the first span to the end of the last.
    public var durationNanoseconds: UInt64
    /// In order of their beginning.
    public var spans: [SpanView]

    private enum CodingKeys: String, CodingKey {
        case traceID = "trace_id"
        case start
        case durationNanoseconds = "duration_nanoseconds"
        case spans
    }
}

/// One span of a `TraceView`.
public struct SpanView: Codable, Hashable, Sendable {
    /// 16 lowercase hex digits, as all span ids here.
    public var spanID: String
    /// Nil for a root. The parent need not be in the trace: it may be the application's own.
    public var parentSpanID: String?
    /// `{operation} {destination}`.
    public var name: String
    /// `client`, `producer` or `consumer`.
    public var kind: String
    /// `service.name`.
    public var service: String
    /// From the beginning of the trace.
    public var startNanoseconds: UInt64
    /// From its beginning to its end.
    public var durationNanoseconds: UInt64
    /// `error.type`; nil when the operation succeeded.
    public var error: String?
    /// Other messages that it belongs to.
    public var links: [LinkView]
    /// Links that the span lost to the limit.
    public var linksLeftOut: Int
    /// As they are exported.
    public var attributes: [String: AttributeValue]

    private enum CodingKeys: String, CodingKey {
        case spanID = "span_id"
        case parentSpanID = "parent_span_id"
        case name, kind, service
        case startNanoseconds = "start_nanoseconds"
        case durationNanoseconds = "duration_nanoseconds"
        case error, links
        case linksLeftOut = "links_left_out"
        case attributes
    }
}

/// One link of a `SpanView`.
public struct LinkView: Codable, Hashable, Sendable {
    /// 32 lowercase hex digits.
    public var traceID: String
    /// 16 lowercase hex digits.
    public var spanID: String
    /// As they are exported.
    public var attributes: [String: AttributeValue]

    private enum CodingKeys: String, CodingKey {
        case traceID = "trace_id"
        case spanID = "span_id"
        case attributes
    }
}

extension TraceView {
    /// Makes text of the records of one trace.
    init(_ id: TraceID, of records: [SpanRecord], _ names: NameTable, _ catalog: SpanCatalog) {
        let start = records.map(\.startUnixNanoseconds).min() ?? 0
        let end = records.map(\.endUnixNanoseconds).max() ?? start
        let inOrder = records.sorted {
            ($0.startUnixNanoseconds, $0.spanID.value) < ($1.startUnixNanoseconds, $1.spanID.value)
        }
        self.init(
            traceID: id.description, start: UTCTime.text(unixNanoseconds: start, .microseconds),
            durationNanoseconds: end > start ? end - start : 0,
            spans: inOrder.map { SpanView($0, traceStart: start, names, catalog) })
    }
}

extension SpanView {
    init(_ record: SpanRecord, traceStart: UInt64, _ names: NameTable, _ catalog: SpanCatalog) {
        let descriptor = catalog.descriptor(record.descriptor)
        var attributes = descriptor.constantAttributes + record.ownAttributes(names)
        if record.kind.hasPeer { attributes += descriptor.peerAttributes }
        let (start, end) = (record.startUnixNanoseconds, record.endUnixNanoseconds)
        self.init(
            spanID: record.spanID.description,
            parentSpanID: record.parentSpanID.isValid ? record.parentSpanID.description : nil,
            name: descriptor.spanName, kind: record.kind.text, service: descriptor.service,
            startNanoseconds: start - traceStart, durationNanoseconds: end > start ? end - start : 0,
            error: record.error == .none ? nil : names.text(of: record.error),
            links: ([record.link].compactMap { $0 } + (record.detail?.moreLinks ?? [])).map(LinkView.init),
            linksLeftOut: Int(record.detail?.droppedLinkCount ?? 0), attributes: Self.dictionary(attributes))
    }

    fileprivate static func dictionary(
        _ pairs: [(key: StaticString, value: AttributeValue)]
    ) -> [String: AttributeValue] {
        Dictionary(pairs.map { ($0.key.description, $0.value) }) { first, _ in first }
    }
}

extension LinkView {
    init(_ link: SpanLink) {
        self.init(
            traceID: link.context.traceID.description, spanID: link.context.spanID.description,
            attributes: SpanView.dictionary(link.attributes))
    }
}

extension SpanKind {
    /// The word for people.
    var text: String {
        switch self {
        case .internal: "internal"
        case .client: "client"
        case .producer: "producer"
        case .consumer: "consumer"
        }
    }
}
