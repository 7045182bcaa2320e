import Export
import Telemetry
import Testing

@Suite("OTEL_* environment")
struct OTELEnvironmentTests {
    @Test("An empty environment means the defaults, without a warning")
    func empty() {
        let environment = OTELEnvironment(parsing: [:])
        #expect(environment.endpoint == "http://localhost:4318/v1/traces")
        #expect(!environment.endpointIsGiven)
        #expect(environment.exportsTraces)
        #expect(environment.sampler == nil)
        #expect(environment.warnings.isEmpty)
        #expect(OTELEnvironment(parsing: ["OTEL_SDK_DISABLED": "", "OTEL_TRACES_SAMPLER": " "]) == environment)
    }

    @Test(
        "The base endpoint is extended, the endpoint for traces is used as it is",
        arguments: [
            ("http://h:4318", "http://h:4318/v1/traces"), ("http://h:4318/", "http://h:4318/v1/traces"),
            ("http://h:4318/my", "http://h:4318/my/v1/traces"), ("https://h/my/", "https://h/my/v1/traces"),
            ("HTTPS://h", "https://h/v1/traces"), ("http://u:p@h/x?t=1", "http://u:p@h/x/v1/traces?t=1"),
            ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        ])
    func baseEndpoint(base: String, full: String) {
        let environment = OTELEnvironment(parsing: ["OTEL_EXPORTER_OTLP_ENDPOINT": base])
        #expect(environment.endpoint == full)
        #expect(environment.endpointIsGiven)
    }

    @Test(
        "An endpoint for traces gets a path only when it has none, and wins",
        arguments: [
            ("http://h:4318", "http://h:4318/"), ("http://h:4318/", "http://h:4318/"), ("http://h/x", "http://h/x"),
            ("http://h?a=b", "http://h/?a=b"),
        ])
    func tracesEndpoint(address: String, full: String) {
        let environment = OTELEnvironment(parsing: [
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": address, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://other",
        ])
        #expect(environment.endpoint == full)
    }

    @Test(
        "An address that is not http is ignored",
        arguments: ["h:4318", "grpc://h", "http://", "http://:80", "http://a b"])
    func badEndpoint(address: String) {
        let environment = OTELEnvironment(parsing: ["OTEL_EXPORTER_OTLP_ENDPOINT": address])
        #expect(environment.endpoint == OTLPEndpoint.standard)
        #expect(!environment.endpointIsGiven)
        #expect(environment.warnings.count == 1)
    }

    @Test("The form for traces wins over the general one, for each variable")
    func signalWins() {
        let environment = OTELEnvironment(parsing: [
            "OTEL_EXPORTER_OTLP_HEADERS": "a=1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2500",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "GZip",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "/traces-ca",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/cert", "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/key",
        ])
        #expect(environment.headers == [HeaderField(name: "b", value: "2")])
        #expect(environment.timeoutMilliseconds == 2_500)
        #expect(environment.compression == .gzip)
        #expect(
            environment.tlsFiles == TLSFiles(authorities: "/traces-ca", clientCertificate: "/cert", clientKey: "/key"))
        #expect(environment.warnings.isEmpty)
    }

    @Test("Headers are percent-decoded; a faulty pair is left out and its text never shown")
    func headers() {
        let environment = OTELEnvironment(parsing: [
            "OTEL_EXPORTER_OTLP_HEADERS":
                "authorization=Bearer%20s3cret, x-a = 1=2 ,broken,x-b=%0d%0aevil: s3cret,bad name=s3cret,x-c=%zz,X-A=3,d="
        ])
        #expect(
            environment.headers == [
                HeaderField(name: "authorization", value: "Bearer s3cret"), HeaderField(name: "X-A", value: "3"),
                HeaderField(name: "d", value: ""),
            ])
        #expect(environment.warnings.count == 4)
        #expect(environment.warnings.allSatisfy { !$0.contains("s3cret") })
        #expect(!"\(environment.headers)".contains("s3cret"))
    }

    @Test("Values that cannot be honoured are named and ignored")
    func warnings() {
        let environment = OTELEnvironment(parsing: [
            "OTEL_EXPORTER_OTLP_TIMEOUT": "ten", "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_TRACES_EXPORTER": "console",
            "OTEL_TRACES_SAMPLER": "jaeger_remote", "OTEL_SDK_DISABLED": "yes",
            "OTEL_BSP_SCHEDULE_DELAY": "-1", "OTEL_BSP_EXPORT_TIMEOUT": "99999999999999999999",
            "OTEL_BSP_MAX_QUEUE_SIZE": "0", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1e3",
        ])
        #expect(environment.timeoutMilliseconds == nil)
        #expect(environment.compression == nil)
        #expect(environment.exportsTraces)
        #expect(environment.sampler == nil)
        #expect(!environment.isDisabled)
        #expect(environment.queueCapacity == nil && environment.batchSize == nil)
        #expect(environment.scheduleDelayMilliseconds == nil && environment.exportTimeoutMilliseconds == nil)
        #expect(environment.warnings.count == 10)
        #expect(environment.warnings.contains { $0.contains("grpc") && $0.contains("http/protobuf is used") })
    }

    @Test("http/protobuf is what is spoken, so it is no cause for a warning")
    func protocolWithoutWarning() {
        #expect(OTELEnvironment(parsing: ["OTEL_EXPORTER_OTLP_PROTOCOL": "HTTP/protobuf"]).warnings.isEmpty)
    }

    @Test(
        "Samplers",
        arguments: [
            ("always_on", nil, .alwaysOn), ("ALWAYS_OFF", nil, .alwaysOff), ("traceidratio", "0.25", .ratio(0.25)),
            ("traceidratio", nil, .ratio(1)), ("traceidratio", "2", .ratio(1)), ("traceidratio", "x", .ratio(1)),
            ("parentbased_always_on", "0.1", .parentBased(root: .alwaysOn)),
            ("parentbased_always_off", nil, .parentBased(root: .alwaysOff)),
            ("parentbased_traceidratio", "0.01", .parentBased(root: .ratio(0.01))),
        ] as [(String, String?, SamplerChoice)])
    func samplers(name: String, argument: String?, choice: SamplerChoice) {
        var variables = ["OTEL_TRACES_SAMPLER": name]
        variables["OTEL_TRACES_SAMPLER_ARG"] = argument
        let environment = OTELEnvironment(parsing: variables)
        #expect(environment.sampler == choice)
        #expect(environment.warnings.count == (["2", "x"].contains(argument) ? 1 : 0))
    }

    @Test("The service's name comes from its own variable, or else from the resource attributes")
    func serviceName() {
        let both = OTELEnvironment(parsing: [
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=a,deployment.environment.name=pre%2Cprod, k =v",
            "OTEL_SERVICE_NAME": "b",
        ])
        #expect(both.serviceName == "b")
        #expect(
            both.resourceAttributes == [
                ResourceAttribute(key: "deployment.environment.name", value: "pre,prod"),
                ResourceAttribute(key: "k", value: "v"),
            ])
        let one = OTELEnvironment(parsing: ["OTEL_RESOURCE_ATTRIBUTES": "service.name=a"])
        #expect(one.serviceName == "a")
        #expect(one.resourceAttributes.isEmpty)
    }

    @Test(
        "One fault discards all resource attributes",
        arguments: ["a=1,b", "a=1,=2", "a=%4", "a=%ff", "a=b=c", "a=1,%zz=2"])
    func faultyResource(text: String) {
        let environment = OTELEnvironment(parsing: ["OTEL_RESOURCE_ATTRIBUTES": text])
        #expect(environment.resourceAttributes.isEmpty)
        #expect(environment.warnings.count == 1)
    }

    @Test("Exporting can be switched off in two ways")
    func off() {
        let none = OTELEnvironment(parsing: ["OTEL_TRACES_EXPORTER": "None"])
        #expect(!none.exportsTraces && !none.isDisabled)
        let disabled = OTELEnvironment(parsing: ["OTEL_SDK_DISABLED": "TRUE"])
        #expect(!disabled.exportsTraces && disabled.isDisabled)
        #expect(ExportConfiguration(environment: none).endpoint == nil)
    }

    @Test("What the environment says reaches the configuration, and a batch is no larger than the queue")
    func configuration() {
        let environment = OTELEnvironment(parsing: [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:1", "OTEL_BSP_MAX_QUEUE_SIZE": "100",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "512", "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_BSP_EXPORT_TIMEOUT": "7000", "OTEL_EXPORTER_OTLP_TIMEOUT": "3000", "OTEL_SERVICE_NAME": "s",
        ])
        let configuration = ExportConfiguration(environment: environment)
        #expect(configuration.endpoint == "http://h:1/v1/traces")
        #expect(configuration.queueCapacity == 100)
        #expect(configuration.batchSize == 100)
        #expect(configuration.scheduleDelayMilliseconds == 50)
        #expect(configuration.drainTimeoutMilliseconds == 7_000)
        #expect(configuration.requestTimeoutMilliseconds == 3_000)
        #expect(configuration.serviceName == "s")
        #expect(environment.warnings.count == 1)
    }

    @Test("The endpoint is shown without its secrets")
    func display() {
        #expect(
            ExportConfiguration(endpoint: "https://user:s3cret@h:1/v1?token=s3cret").endpointForDisplay
                == "https://h:1/v1")
        #expect(ExportConfiguration(endpoint: nil).endpointForDisplay == "none")
    }
}
