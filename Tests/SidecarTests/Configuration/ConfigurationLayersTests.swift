import Logging
import Pipeline
import Proxy
import Testing

@testable import Sidecar

@Suite("Layers: defaults, OTEL_*, file, TACHO_*, flags")
struct ConfigurationLayersTests {
    private static let listener = "listeners: [{ protocol: redis, listen: 16379, upstream: 6379 }]"

    @Test("the service name, layer over layer")
    func serviceName() throws {
        var environment: [String: String] = [:]
        func service(_ file: String = "", flags: [String: String] = [:]) throws -> [String] {
            let resolved = try load(Self.listener + "\n" + file, environment: environment, flags: flags)
            return [resolved.configuration.service, resolved.origins["service"]?.description ?? "default"]
        }
        #expect(try service() == ["unknown_service:tacho", "default"])
        environment["OTEL_RESOURCE_ATTRIBUTES"] = "team=a, service.name=from%20attributes"
        #expect(try service() == ["from attributes", "OTEL_RESOURCE_ATTRIBUTES"])
        environment["OTEL_SERVICE_NAME"] = "from-otel"
        #expect(try service() == ["from-otel", "OTEL_SERVICE_NAME"])
        #expect(try service("service: from-file") == ["from-file", "tacho.yaml:2:10"])
        environment["TACHO_SERVICE"] = "from-variable"
        #expect(try service("service: from-file") == ["from-variable", "TACHO_SERVICE"])
        #expect(try service("service: from-file", flags: ["service": "from-flag"]) == ["from-flag", "--service"])
        environment["TACHO_SERVICE"] = ""
        #expect(try service("service: from-file") == ["from-file", "tacho.yaml:2:10"])
    }

    @Test("values that only variables and flags say")
    func scalars() throws {
        let configuration = try load(
            environment: [
                "TACHO_LIMITS_FRAME_BYTES": "64KiB", "TACHO_TRACING_CONSUMER_RELATION": "link",
                "TACHO_LOG_LEVEL": "debug", "OTEL_LOG_LEVEL": "error", "TACHO_OTLP_ENDPOINT": "http://ignored:1",
            ],
            redis: ["16379=6379"], flags: ["http": "none", "otlp": "none"]
        ).configuration
        #expect(configuration.limits.frameBytes == 65_536)
        #expect(configuration.tracing.consumerRelation == .link)
        #expect(configuration.logLevel == .debug)
        #expect(configuration.httpListen == nil)
        #expect(configuration.otlp.endpoint == .disabled)
    }

    private func shown(_ resolved: ResolvedConfiguration) -> [String] {
        resolved.configuration.listeners.map { "\($0.listen) -> \($0.upstream) \($0.context.deliver)" }
    }

    @Test("a later layer replaces the listeners of the protocol it names; variables refine what remains")
    func listeners() throws {
        let environment = ["TACHO_REDIS": "1=11, unix:/a=unix:/b=c", "TACHO_LISTENERS_0_CONTEXT_DELIVER": "strip"]
        #expect(try shown(load(Self.listener)) == ["127.0.0.1:16379 -> 127.0.0.1:6379 keep"])
        #expect(
            try shown(load(Self.listener, environment: environment)) == [
                "127.0.0.1:1 -> 127.0.0.1:11 strip", "unix:/a -> unix:/b=c keep",
            ])
        #expect(
            try shown(load(Self.listener, environment: environment, redis: ["2=12", "3=db:13"])) == [
                "127.0.0.1:2 -> 127.0.0.1:12 strip", "127.0.0.1:3 -> db:13 keep",
            ])
    }

    @Test("without a listener, the embedded event log is served on loopback")
    func embeddedByDefault() throws {
        #expect(try shown(load()) == ["127.0.0.1:16379 -> embedded keep"])
        #expect(try shown(load("# empty\n")) == ["127.0.0.1:16379 -> embedded keep"])
        #expect(try shown(load(redis: ["7=embedded"])) == ["127.0.0.1:7 -> embedded keep"])
    }

    @Test("only redis listeners have the embedded event log, and nobody encrypts the way to it")
    func embeddedWhereItMakesNoSense() {
        #expect(
            complaints(environment: ["TACHO_NATS": "4223=embedded"]) == [
                "TACHO_NATS: the embedded event log speaks redis; give the address of a running nats server"
            ])
    }

    @Test("mistakes in variables and flags name the variable and the flag")
    func mistakes() {
        #expect(
            complaints(
                environment: [
                    "TACHO_KAFKA": "9092=embedded", "TACHO_LIMITS_DESTINATION": "5", "TACHO_HTTP_LISTEN": "9464x",
                    "TACHO_LISTENERS_0_CONTEXT_DELIVR": "strip", "TACHO_LISTENERS_7_NAME": "x",
                    "TACHO_WEATHER": "fine",
                ],
                redis: ["16379", "embedded=16380", "16381=user:secret@host:6379"], kafka: ["9092=9093"],
                flags: ["otlp": "localhost:4318"]
            ) == [
                #"TACHO_HTTP_LISTEN: expected HOST:PORT, PORT or none, found "9464x"; "#
                    + "the port is missing; write HOST:PORT",
                "TACHO_KAFKA: kafka is not available in this version; available: redis, nats",
                "TACHO_LIMITS_DESTINATION: unknown variable; did you mean TACHO_LIMITS_DESTINATIONS?",
                "TACHO_WEATHER: unknown variable; the names are in the configuration reference",
                #"--redis: expected LISTEN=UPSTREAM, such as 16379=127.0.0.1:6379, found "16379""#,
                #"--redis: "embedded" is the event log in this process, which only an upstream can be; write an address"#,
                "--redis: expected HOST:PORT, PORT, unix:PATH or embedded, found another value "
                    + "(not shown: it may hold a password); the port must be a whole number up to 65535",
                "--kafka: kafka is not available in this version; available: redis, nats",
                "TACHO_LISTENERS_0_CONTEXT_DELIVR: unknown variable; "
                    + "did you mean TACHO_LISTENERS_0_CONTEXT_DELIVER?",
                "TACHO_LISTENERS_7_NAME: no listener at position 7; there are 2, counted from 0",
                "--otlp: expected http://HOST[:PORT][/PATH], https://... or none, found \"localhost:4318\"",
            ])
    }

    @Test("an empty list is no listener, and control characters do not reach the terminal")
    func emptyList() {
        #expect(
            complaints(environment: ["TACHO_REDIS": " , "]) == [
                #"TACHO_REDIS: expected LISTEN=UPSTREAM, such as 16379=127.0.0.1:6379, found """#,
                #"TACHO_REDIS: expected LISTEN=UPSTREAM, such as 16379=127.0.0.1:6379, found """#,
            ])
        #expect(
            complaints(environment: ["TACHO_REDIS": ","]) == [
                "nothing to listen on; give at least one --redis LISTEN=UPSTREAM, such as --redis 16379=6379"
            ])
        #expect(
            complaints(redis: ["16379=6379"], flags: ["log-level": "\u{1B}[2J"]) == [
                "--log-level: expected trace, debug, info, notice, warning, error or critical, "
                    + "found \"\u{FFFD}[2J\""
            ])
    }

    @Test("variables by which a container platform announces services are not ours")
    func serviceLinks() {
        let environment = [
            "TACHO_SERVICE_HOST": "10.0.0.1", "TACHO_SERVICE_PORT": "9464", "TACHO_SERVICE_PORT_HTTP": "9464",
            "TACHO_PORT": "tcp://10.0.0.1:9464", "TACHO_PORT_9464_TCP": "tcp://10.0.0.1:9464",
            "TACHO_PORT_9464_TCP_ADDR": "10.0.0.1", "TACHO_REDIS_SERVICE_HOST": "10.0.0.2",
        ]
        #expect(complaints(environment: environment, redis: ["16379=6379"]) == [])
    }

    @Test("listeners that cannot stand side by side")
    func collisions() {
        #expect(
            complaints(redis: ["16379=6379", "localhost:16379=6380", "9464=6379", "6379=6379"]) == [
                "--redis: listens on localhost:16379, and so does listener redis@127.0.0.1:16379; "
                    + "give one of them another address",
                "--redis: listen and upstream are the same address: 127.0.0.1:6379",
                "--redis: listens on 127.0.0.1:9464, and so does HTTP; give one of them another port",
            ])
        #expect(
            complaints(
                """
                listeners:
                  - { name: a, protocol: redis, listen: 1, upstream: 6379 }
                  - { name: a, protocol: redis, listen: 2, upstream: 6379 }
                """) == [
                    "tacho.yaml:3:13: listeners[1].name: another listener is called a too; "
                        + "give one of them another name"
                ])
    }

    @Test("what is allowed but worth saying")
    func notices() throws {
        let resolved = try load(
            environment: ["OTEL_LOG_LEVEL": "chatty"], redis: ["0.0.0.0:16379=6379"], flags: ["http": "[::]:9464"])
        #expect(
            resolved.notices == [
                "OTEL_LOG_LEVEL is ignored: expected trace, debug, info, notice, warning, error or critical, "
                    + #"found "chatty""#,
                "listener redis@0.0.0.0:16379 listens on 0.0.0.0:16379, which other machines may reach",
                "HTTP listens on [::]:9464, which other machines may reach",
            ])
    }
}
