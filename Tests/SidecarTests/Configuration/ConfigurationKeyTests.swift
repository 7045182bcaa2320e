import Testing

@testable import Sidecar

@Suite("Keys, their values and their reference")
struct ConfigurationKeyTests {
    @Test(
        "the name that was probably meant",
        arguments: [
            ("servce", "service"), ("htpp", "http"), ("limtis", "limits"), ("listener", "listeners"),
            ("datta", "data"), ("zebra", nil), ("", nil), ("x", nil),
        ] as [(String, String?)])
    func nearest(name: String, suggestion: String?) {
        let names = ["service", "http", "data", "limits", "listeners"]
        #expect(NearestName.suggestion(for: name, among: names) == suggestion)
    }

    @Test("edits between two names")
    func edits() {
        #expect(NearestName.edits(Array("ab".utf8), Array("ba".utf8)) == 1)
        #expect(NearestName.edits(Array("kitten".utf8), Array("sitting".utf8)) == 3)
        #expect(NearestName.edits([], Array("abc".utf8)) == 3)
        #expect(NearestName.edits(Array("abc".utf8), []) == 3)
    }

    @Test("every key has one path, one variable and at most one flag")
    func unique() {
        let keys = ConfigurationKeys.process.keys
        #expect(Set(keys.map(\.path)).count == keys.count)
        #expect(Set(keys.map(\.variableName)).count == keys.count)
        #expect(Set(keys.compactMap(\.flag)) == ["service", "http", "data", "otlp", "log-level"])
        #expect(ConfigurationKeys.refinable.isSubset(of: ConfigurationKeys.listener.keys.map(\.path)))
    }

    @Test("every default that the reference shows is a value that can be written")
    func defaultsParse() throws {
        for key in ConfigurationKeys.process.keys {
            var configuration = SidecarConfiguration()
            switch key.show(configuration) {
            case .text(let text): try key.set(&configuration, text)
            case .number(let number): try key.set(&configuration, String(number))
            case .real(let number): try key.set(&configuration, String(number))
            case .unset: continue
            }
            #expect(configuration == SidecarConfiguration(), "\(key.path)")
        }
    }

    @Test(
        "bytes",
        arguments: [
            ("1024", 1024), ("1KiB", 1024), ("64 MiB", 67_108_864), ("1_048_576", 1_048_576), ("1023", nil),
            ("65MiB", nil), ("9223372036854775807MiB", nil), ("-1", nil), ("1kb", nil), ("", nil), ("MiB", nil),
        ] as [(String, Int?)])
    func bytes(text: String, value: Int?) {
        #expect((try? ValueSyntax.bytes(1024...67_108_864).parse(text)) == value)
    }

    @Test(
        "collector URLs",
        arguments: [
            ("http://localhost:4318", true), ("https://otlp.example.com/base", true), ("HTTP://[::1]", true),
            ("http://[::1]:4318/", true), ("none", true), ("ftp://a", false), ("http://", false), ("http:///x", false),
            ("http://a:99999", false), ("http://a/?key=1", false), ("http://u:p@a", false), ("http://a b", false),
        ])
    func collectorURLs(text: String, isGood: Bool) {
        #expect(((try? ValueSyntax.otlp.parse(text)) != nil) == isGood)
    }

    @Test("the reference has a row for every key, and the rows read as Markdown")
    func reference() {
        let lines = ConfigurationReference.markdown.split(separator: "\n")
        let keys =
            ConfigurationKeys.process.keys.map(\.path) + ConfigurationKeys.listener.keys.map(\.path)
            + ConfigurationKeys.rule.keys.map(\.path)
        #expect(lines.filter { $0.hasPrefix("| `") }.map { $0.split(separator: "`")[1] } == keys.map { $0[...] })
        #expect(
            lines.contains(
                "| `limits.drain_seconds` | `TACHO_LIMITS_DRAIN_SECONDS` |  | a whole number from 0 to 3600 | `10` | "
                    + "seconds that open sessions get to finish on SIGTERM |"))
        #expect(
            ConfigurationReference.help(forFlag: "data")
                == "The directory for what must survive a restart (a path of 1 to 1024 bytes; default: ./tacho-data)"
        )
    }

    @Test("what check prints")
    func report() throws {
        let resolved = try load("listeners: [{ protocol: redis, listen: 0.0.0.0:16379, upstream: 6379 }]\nthreads: 2")
        let lines = ConfigurationReport(resolved).text.split(separator: "\n").map(String.init)
        #expect(
            lines.first == "listener redis@0.0.0.0:16379: redis 0.0.0.0:16379 -> 127.0.0.1:6379 "
                + "(context: inject always, deliver keep)")
        #expect(lines.contains("threads = 2  (tacho.yaml:2:10)"))
        #expect(lines.contains("otlp.endpoint = OTEL_EXPORTER_OTLP_*, else http://localhost:4318  (default)"))
        #expect(
            lines.last
                == "notice: listener redis@0.0.0.0:16379 listens on 0.0.0.0:16379, which other machines may reach")
        let json = ConfigurationReport(resolved).json
        #expect(json.contains(#""listen" : "0.0.0.0:16379""#))
        #expect(json.contains(#""valid" : true"#))
    }

    @Test("what check prints for programs when something is wrong")
    func failureReport() {
        let failure = ConfigurationFailure(problems: [
            ConfigurationProblem(
                origin: .file(name: "tacho.yaml", line: 3, column: 5), path: "limits.x", message: "unknown key")
        ])
        #expect(
            ConfigurationReport.json(failure) == """
                {
                  "problems" : [
                    {
                      "column" : 5,
                      "file" : "tacho.yaml",
                      "line" : 3,
                      "message" : "unknown key",
                      "path" : "limits.x"
                    }
                  ],
                  "valid" : false
                }
                """)
    }
}
