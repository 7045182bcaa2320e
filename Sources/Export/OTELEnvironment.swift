public import Telemetry
import Wire

/// What the `OTEL_*` variables ask for, as typed values, with a warning for everything that could not be honoured.
///
/// A pure reading of a dictionary (OpenTelemetry specification, configuration/sdk-environment-variables and
/// protocol/exporter): an empty value is an absent one; of the OTLP variables the form with `TRACES_` wins. Nil means
/// unset. Warnings name variables and never repeat header values.
public struct OTELEnvironment: Sendable, Equatable {
    /// The full address to post traces to.
    public var endpoint = OTLPEndpoint.standard
    /// Whether a variable named the endpoint.
    public var endpointIsGiven = false
    /// `OTEL_EXPORTER_OTLP_HEADERS`, of equal names the last.
    public var headers: [HeaderField] = []
    /// `OTEL_EXPORTER_OTLP_TIMEOUT`.
    public var timeoutMilliseconds: Int?
    /// `OTEL_EXPORTER_OTLP_COMPRESSION`.
    public var compression: ExportCompression?
    /// `OTEL_EXPORTER_OTLP_CERTIFICATE`, `_CLIENT_CERTIFICATE` and `_CLIENT_KEY`.
    public var tlsFiles = TLSFiles()
    /// `OTEL_SERVICE_NAME`, or `service.name` of the resource attributes.
    public var serviceName: String?
    /// Without `service.name`.
    public var resourceAttributes: [ResourceAttribute] = []
    /// `OTEL_TRACES_SAMPLER` with its argument.
    public var sampler: SamplerChoice?
    /// False with `OTEL_TRACES_EXPORTER=none` and with `OTEL_SDK_DISABLED=true`.
    public var exportsTraces = true
    /// `OTEL_SDK_DISABLED`.
    public var isDisabled = false
    /// `OTEL_BSP_SCHEDULE_DELAY`.
    public var scheduleDelayMilliseconds: Int?
    /// `OTEL_BSP_EXPORT_TIMEOUT`.
    public var exportTimeoutMilliseconds: Int?
    /// `OTEL_BSP_MAX_QUEUE_SIZE`.
    public var queueCapacity: Int?
    /// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, at most the queue's size.
    public var batchSize: Int?
    /// One sentence for each variable that was not honoured, to be logged at the start.
    public var warnings: [String] = []

    /// Reads a process environment; variables of other names are not looked at.
    public init(parsing variables: [String: String]) {
        var reader = Reader(variables: variables)
        readTransport(&reader)
        readIdentity(&reader)
        readProcessor(&reader)
        sampler = Self.sampler(&reader)
        warnings = reader.warnings
    }

    private mutating func readTransport(_ reader: inout Reader) {
        if let address = reader.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
            setEndpoint(OTLPEndpoint.traces(at: address), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &reader)
        } else if let address = reader.text("OTEL_EXPORTER_OTLP_ENDPOINT") {
            setEndpoint(OTLPEndpoint.traces(underBase: address), "OTEL_EXPORTER_OTLP_ENDPOINT", &reader)
        }
        if let (name, value) = reader.signalText("HEADERS") {
            headers = Self.headers(value, variable: name, &reader)
        }
        if let (name, _) = reader.signalText("TIMEOUT") {
            timeoutMilliseconds = reader.count(name, in: 1...Reader.millisecondsMax)
        }
        if let (name, value) = reader.signalText("COMPRESSION") {
            compression = ExportCompression(rawValue: value.lowercased())
            if compression == nil { reader.warn("\(name)=\(value) is ignored; expected none or gzip") }
        }
        if let (name, value) = reader.signalText("PROTOCOL"), value.lowercased() != "http/protobuf" {
            reader.warn("\(name)=\(value) is not supported; http/protobuf is used (collectors listen on port 4318)")
        }
        if let (_, file) = reader.signalText("CERTIFICATE") { tlsFiles.authorities = file }
        if let (_, file) = reader.signalText("CLIENT_CERTIFICATE") { tlsFiles.clientCertificate = file }
        if let (_, file) = reader.signalText("CLIENT_KEY") { tlsFiles.clientKey = file }
    }

    private mutating func setEndpoint(_ address: String?, _ variable: String, _ reader: inout Reader) {
        if let address {
            endpoint = address
            endpointIsGiven = true
        } else {
            reader.warn("\(variable) is ignored; expected an address that begins with http:// or https://")
        }
    }

    private mutating func readIdentity(_ reader: inout Reader) {
        if let text = reader.text("OTEL_RESOURCE_ATTRIBUTES") {
            if let attributes = Self.resourceAttributes(text) {
                serviceName = attributes.last { $0.key == "service.name" }?.value
                resourceAttributes = attributes.filter { $0.key != "service.name" }
            } else {
                // The specification wants all of a faulty value discarded, not the faulty part.
                reader.warn(
                    "OTEL_RESOURCE_ATTRIBUTES is ignored as a whole; expected key=value,key=value "
                        + "with other characters percent-encoded")
            }
        }
        if let name = reader.text("OTEL_SERVICE_NAME") { serviceName = name }
        isDisabled = reader.flag("OTEL_SDK_DISABLED")
        if isDisabled { exportsTraces = false }
        if let text = reader.text("OTEL_TRACES_EXPORTER") {
            switch text.lowercased() {
            case "otlp": break
            case "none": exportsTraces = false
            default: reader.warn("OTEL_TRACES_EXPORTER=\(text) is ignored; expected otlp or none")
            }
        }
    }

    private mutating func readProcessor(_ reader: inout Reader) {
        scheduleDelayMilliseconds = reader.count("OTEL_BSP_SCHEDULE_DELAY", in: 1...Reader.millisecondsMax)
        exportTimeoutMilliseconds = reader.count("OTEL_BSP_EXPORT_TIMEOUT", in: 1...Reader.millisecondsMax)
        queueCapacity = reader.count("OTEL_BSP_MAX_QUEUE_SIZE", in: 1...(1 << 24))
        batchSize = reader.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", in: 1...(1 << 20))
        if let batch = batchSize, let capacity = queueCapacity, batch > capacity {
            reader.warn(
                "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=\(batch) is above OTEL_BSP_MAX_QUEUE_SIZE; \(capacity) is used")
            batchSize = capacity
        }
    }

    private static func sampler(_ reader: inout Reader) -> SamplerChoice? {
        guard let name = reader.text("OTEL_TRACES_SAMPLER") else { return nil }
        switch name.lowercased() {
        case "always_on": return .alwaysOn
        case "always_off": return .alwaysOff
        case "traceidratio": return .ratio(reader.samplerRatio())
        case "parentbased_always_on": return .parentBased(root: .alwaysOn)
        case "parentbased_always_off": return .parentBased(root: .alwaysOff)
        case "parentbased_traceidratio": return .parentBased(root: .ratio(reader.samplerRatio()))
        default:
            reader.warn(
                "OTEL_TRACES_SAMPLER=\(name) is ignored; expected always_on, always_off, traceidratio, "
                    + "or one of these after parentbased_")
            return nil
        }
    }

    /// A list of headers. A faulty pair is left out and reported by its position, since its text may be a secret.
    private static func headers(_ text: String, variable: String, _ reader: inout Reader) -> [HeaderField] {
        var fields: [HeaderField] = []
        for (position, pair) in text.split(separator: ",").enumerated() {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2,
                let name = PercentEncoding.decoded(halves[0].trimmingBlanks), HeaderField.isValidName(name),
                let value = PercentEncoding.decoded(halves[1].trimmingBlanks), HeaderField.isValidValue(value)
            else {
                reader.warn("\(variable): pair \(position + 1) is ignored; expected name=value, percent-encoded")
                continue
            }
            fields.removeAll { $0.name.lowercased() == name.lowercased() }
            fields.append(HeaderField(name: name, value: value))
        }
        return fields
    }

    /// Nil when anything in the list is wrong. Of equal keys the last one holds.
    static func resourceAttributes(_ text: String) -> [ResourceAttribute]? {
        var attributes: [ResourceAttribute] = []
        for pair in text.split(separator: ",", omittingEmptySubsequences: false) {
            if pair.trimmingBlanks.isEmpty { continue }
            let halves = pair.split(separator: "=", omittingEmptySubsequences: false)
            guard halves.count == 2,
                let key = PercentEncoding.decoded(halves[0].trimmingBlanks), !key.isEmpty,
                let value = PercentEncoding.decoded(halves[1].trimmingBlanks)
            else { return nil }
            attributes.removeAll { $0.key == key }
            attributes.append(ResourceAttribute(key: key, value: value))
        }
        return attributes
    }
}

extension OTELEnvironment {
    /// Reads single variables by the specification's rules for their types and collects the warnings.
    private struct Reader {
        /// Beyond a day a duration is surely a mistake, and its nanoseconds must not overflow.
        static let millisecondsMax = 86_400_000

        let variables: [String: String]
        var warnings: [String] = []

        mutating func warn(_ text: String) {
            warnings.append(text)
        }

        func text(_ name: String) -> String? {
            guard let value = variables[name]?[...].trimmingBlanks, !value.isEmpty else { return nil }
            return String(value)
        }

        /// The variable for traces, or else the one for all signals, with the name that was found.
        func signalText(_ suffix: String) -> (name: String, value: String)? {
            for name in ["OTEL_EXPORTER_OTLP_TRACES_\(suffix)", "OTEL_EXPORTER_OTLP_\(suffix)"] {
                if let value = text(name) { return (name, value) }
            }
            return nil
        }

        mutating func count(_ name: String, in range: ClosedRange<Int>) -> Int? {
            guard let text = text(name) else { return nil }
            if let value = Int(text), range.contains(value) { return value }
            warn("\(name)=\(text) is ignored; expected a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }

        mutating func flag(_ name: String) -> Bool {
            guard let text = text(name) else { return false }
            switch text.lowercased() {
            case "true": return true
            case "false": return false
            default:
                warn("\(name)=\(text) counts as false; expected true or false")
                return false
            }
        }

        mutating func samplerRatio() -> Double {
            guard let text = text("OTEL_TRACES_SAMPLER_ARG") else { return 1 }
            if let ratio = Double(text), (0...1).contains(ratio) { return ratio }
            warn("OTEL_TRACES_SAMPLER_ARG=\(text) is ignored and 1.0 used; expected a number from 0 to 1")
            return 1
        }
    }
}
