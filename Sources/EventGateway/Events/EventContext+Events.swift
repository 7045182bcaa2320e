import EventLog
import Pipeline
import Telemetry
import Wire

extension EventContext {
    /// What an event says of its trace, in the attributes of the distributed tracing extension and whatever the
    /// application calls its correlation id.
    init(_ event: CloudEvent, _ correlationFields: CorrelationFields) {
        self.init()
        for attribute in event.extensions {
            take(attribute.name.utf8.span, attribute.name.utf8.count, correlationFields) { attribute.value.text }
        }
    }

    /// The same of a stored event.
    init(_ fields: EventFields, _ correlationFields: CorrelationFields) {
        self.init()
        var name: ArraySlice<UInt8>?
        fields.forEachItem { item in
            guard let current = name else {
                name = item
                return
            }
            name = nil
            take(current.span, current.count, correlationFields) { String(decoding: item, as: UTF8.self) }
        }
    }

    private mutating func take(
        _ name: Span<UInt8>, _ count: Int, _ correlationFields: CorrelationFields, _ value: () -> String
    ) {
        switch EventContext.Part(name, correlationFields) {
        case .traceParent: if traceParent == nil { traceParent = value() }
        case .traceState: if traceState == nil { traceState = value() }
        case .correlation: if correlationID == nil { correlationID = value() }
        case .causation: hasCausation = true
        case nil: break
        }
    }
}

extension StreamID {
    /// As spans have it.
    var messageID: MessageID { .streamEntry(milliseconds: milliseconds, sequence: sequence) }

    /// When the event was stored, if the log chose the id; 0 for what cannot be a time.
    var unixNanoseconds: UInt64 {
        let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? 0 : product
    }

    /// `milliseconds-sequence`; nil for anything else.
    init?(text: some StringProtocol) {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let milliseconds = UInt64(parts[0]), let sequence = UInt64(parts[1]) else { return nil }
        self.init(milliseconds, sequence)
    }
}
