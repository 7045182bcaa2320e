import COTLP
import Telemetry

/// Everything about spans that is the same for many of them, packed once by protobuf-c: for each descriptor its name
/// and constant attributes, for each service its resource, for each interned name its bytes.
///
/// It grows with the number of descriptors and names, which their tables bound.
struct SpanTemplates: ~Copyable {
    /// A part of the packed bytes.
    struct Slice {
        var offset: Int
        var count: Int
    }

    struct Template {
        /// The number of the service in this value, and so of the envelope that the span belongs into.
        var service: Int
        /// Fields of a Span: name and attributes.
        var constant: Slice
        /// Two more attributes, for spans of kind CLIENT or PRODUCER.
        var peer: Slice
    }

    /// A field of ScopeSpans: the scope.
    let scope: Slice
    /// A field of ScopeSpans: the schema.
    let schema: Slice

    private let configuration: ExportConfiguration
    private let nameTable: NameTable
    private let catalog: SpanCatalog
    private var packed = ByteWriter(capacity: 4096)
    private var templates: [Template?] = []
    private var names: [Slice?] = []
    private var services: [Slice] = []
    private var serviceNumbers: [String: Int] = [:]

    init(configuration: ExportConfiguration, names: NameTable, catalog: SpanCatalog) {
        self.configuration = configuration
        nameTable = names
        self.catalog = catalog
        var tree = OTLPTree()
        let scopeSpans: UnsafeMutablePointer<OTLPScopeSpans> = tree.message(
            opentelemetry__proto__trace__v1__scope_spans__init)
        scopeSpans.pointee.scope = tree.scope(name: SpanAttribute.scopeName, version: TachographVersion.text)
        scope = Self.store(OTLPTree.packed(scopeSpans), &packed)
        let schemaOnly: UnsafeMutablePointer<OTLPScopeSpans> = tree.message(
            opentelemetry__proto__trace__v1__scope_spans__init)
        schemaOnly.pointee.schema_url = tree.text(SpanAttribute.schemaURL)
        schema = Self.store(OTLPTree.packed(schemaOnly), &packed)
    }

    @inline(__always)
    mutating func template(_ id: SpanDescriptorID) -> Template {
        let index = Int(id.index)
        if index < templates.count, let template = templates[index] { return template }
        return makeTemplate(id)
    }

    @inline(__always)
    mutating func name(_ id: NameID) -> Slice {
        let index = Int(id.index)
        if index < names.count, let name = names[index] { return name }
        return makeName(id)
    }

    /// A field of ResourceSpans: the resource.
    func resource(ofService number: Int) -> Slice { services[number] }

    @inline(__always)
    func write(_ slice: Slice, to output: inout ByteWriter) {
        output.raw(UnsafeBufferPointer(rebasing: packed.bytes[slice.offset..<slice.offset + slice.count]))
    }

    private mutating func makeName(_ id: NameID) -> Slice {
        let index = Int(id.index)
        if index >= names.count { names.append(contentsOf: repeatElement(nil, count: index + 1 - names.count)) }
        let slice = Self.store(Array(nameTable.text(of: id).utf8), &packed)
        names[index] = slice
        return slice
    }

    private mutating func makeTemplate(_ id: SpanDescriptorID) -> Template {
        let index = Int(id.index)
        if index >= templates.count {
            templates.append(contentsOf: repeatElement(nil, count: index + 1 - templates.count))
        }
        let descriptor = catalog.descriptor(id)
        let constant = Self.packSpan(name: descriptor.spanName, attributes: descriptor.constantAttributes)
        let peer = Self.packSpan(name: "", attributes: descriptor.peerAttributes)
        let template = Template(
            service: serviceNumber(descriptor.service), constant: Self.store(constant, &packed),
            peer: Self.store(peer, &packed))
        templates[index] = template
        return template
    }

    private mutating func serviceNumber(_ name: String) -> Int {
        if let number = serviceNumbers[name] { return number }
        var tree = OTLPTree()
        let resourceSpans: UnsafeMutablePointer<OTLPResourceSpans> = tree.message(
            opentelemetry__proto__trace__v1__resource_spans__init)
        resourceSpans.pointee.resource = tree.resource(configuration.resource(ofService: name))
        services.append(Self.store(OTLPTree.packed(resourceSpans), &packed))
        serviceNumbers[name] = services.count - 1
        return services.count - 1
    }

    private static func packSpan(
        name: String, attributes: [(key: StaticString, value: AttributeValue)]
    ) -> [UInt8] {
        var tree = OTLPTree()
        let pairs = tree.attributes(attributes.map { ($0.key.description, $0.value) })
        let span: UnsafeMutablePointer<OTLPSpan> = tree.message(opentelemetry__proto__trace__v1__span__init)
        span.pointee.name = tree.text(name)
        span.pointee.n_attributes = pairs.count
        span.pointee.attributes = tree.list(pairs)
        return OTLPTree.packed(span)
    }

    private static func store(_ bytes: [UInt8], _ packed: inout ByteWriter) -> Slice {
        let slice = Slice(offset: packed.count, count: bytes.count)
        packed.reserve(bytes.count)
        bytes.withUnsafeBufferPointer { packed.raw($0) }
        return slice
    }
}

extension SpanDescriptor {
    /// The attributes that all spans of this descriptor have.
    package var constantAttributes: [(key: StaticString, value: AttributeValue)] {
        var pairs: [(key: StaticString, value: AttributeValue)] = [
            (SpanAttribute.system, .string(system)),
            (SpanAttribute.operationName, .string(operation)),
        ]
        if let operationType { pairs.append((SpanAttribute.operationType, .string(operationType.rawValue))) }
        func add(_ key: StaticString, _ text: String) {
            if !text.isEmpty { pairs.append((key, .string(text))) }
        }
        func add(_ key: StaticString, _ number: Int) {
            if number > 0 { pairs.append((key, .integer(Int64(number)))) }
        }
        add(SpanAttribute.destination, destination)
        add(SpanAttribute.destinationTemplate, template)
        add(SpanAttribute.consumerGroup, group)
        add(SpanAttribute.serverAddress, broker.server)
        add(SpanAttribute.serverPort, broker.port)
        // The application processes a message without the network (semantic conventions, messaging-spans, "Process").
        if operationType != .process, !broker.peer.isEmpty {
            add(SpanAttribute.peerAddress, broker.peer)
            add(SpanAttribute.peerPort, broker.peerPort)
        }
        return pairs
    }

    /// What lets Jaeger draw the broker behind a span that calls it.
    package var peerAttributes: [(key: StaticString, value: AttributeValue)] {
        [(SpanAttribute.peerService, .string(system)), (SpanAttribute.servicePeerName, .string(system))]
    }
}

extension ExportConfiguration {
    /// The resource of a service's spans; of equal keys the configured attribute holds.
    package func resource(ofService name: String) -> [ResourceAttribute] {
        let configured = resourceAttributes.filter { $0.key != SpanAttribute.serviceName }
        let ours = [
            ResourceAttribute(key: SpanAttribute.hostName, value: hostName),
            ResourceAttribute(key: SpanAttribute.serviceInstanceID, value: instanceID),
            ResourceAttribute(key: SpanAttribute.distributionName, value: SpanAttribute.scopeName),
            ResourceAttribute(key: SpanAttribute.distributionVersion, value: TachographVersion.text),
            ResourceAttribute(key: SpanAttribute.sdkName, value: SpanAttribute.scopeName),
            ResourceAttribute(key: SpanAttribute.sdkLanguage, value: "swift"),
            ResourceAttribute(key: SpanAttribute.sdkVersion, value: TachographVersion.text),
        ].filter { our in !configured.contains { $0.key == our.key } }
        let service = ResourceAttribute(key: SpanAttribute.serviceName, value: name.isEmpty ? serviceName : name)
        return [service] + ours + configured
    }
}
