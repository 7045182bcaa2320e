import Pipeline
import Proxy
import Resilience
import Telemetry
import Testing

@testable import Sidecar

@Suite("Keys of the fallback steps")
struct FallbackKeyTests {
    private let listener =
        "listeners: [{ protocol: redis, listen: 16379, upstream: 6379, secondary: { address: 6380 } }]"

    @Test(
        "one word or a list, in the wanted order",
        arguments: [
            ("spool", [FallbackStep.spool]), ("fail", []),
            ("[secondary, spool, dead_letter]", [.secondary, .spool, .deadLetter]),
            ("[dead_letter, fail]", [.deadLetter]), ("\"spool, secondary\"", [.spool, .secondary]),
        ])
    func plans(text: String, steps: [FallbackStep]) throws {
        let resolved = try load("\(listener)\nresilience: { on_open: \(text) }")
        #expect(resolved.configuration.resilience.onOpen.steps == steps)
    }

    @Test("mistakes are named with line and column")
    func mistakes() {
        #expect(
            complaints("\(listener)\nresilience: { on_open: [spool, retry] }") == [
                "tacho.yaml:2:24: resilience.on_open: expected fail, or a list of secondary, spool, dead_letter in the "
                    + "wanted order, found \"retry\""
            ])
        #expect(
            complaints("\(listener)\nresilience: { on_open: [spool, spool] }") == [
                "tacho.yaml:2:24: resilience.on_open: spool is there twice; each step is tried once"
            ])
        #expect(
            complaints("\(listener)\nresilience: { on_open: [fail, spool] }") == [
                "tacho.yaml:2:24: resilience.on_open: spool stands behind fail, where nothing is tried any more"
            ])
        #expect(
            complaints(
                """
                listeners: [{ protocol: redis, listen: 16379, upstream: 6379 }]
                resilience:
                  on_open: [secondary]
                  rules:
                    - { destination: "a*", on_open: spool, when: now }
                    - { on_open: spool }
                    - { destination: b, on_open: fail, listener: nobody }
                """) == [
                    "tacho.yaml:5:44: resilience.rules[0].when: unknown key; expected one of destination, listener, on_open",
                    "tacho.yaml:6:7: resilience.rules[1]: destination is missing",
                    "tacho.yaml:7:50: resilience.rules[2].listener: there is no listener of this name; there are "
                        + "redis@127.0.0.1:16379",
                    "tacho.yaml:3:12: resilience.on_open: secondary needs a listener with protocol redis that names a "
                        + "secondary.address",
                ])
    }

    @Test("steps need a listener that can take them, and breakers that act")
    func possible() throws {
        #expect(
            complaints(
                "listeners: [{ protocol: redis, listen: 16379, upstream: embedded }]\nresilience: { on_open: spool }")
                == [
                    "tacho.yaml:2:24: resilience.on_open: spool needs a listener with a server as its upstream"
                ])
        #expect(
            complaints("\(listener)\nresilience: { breaker: off, on_open: dead_letter }") == [
                "tacho.yaml:2:38: resilience.on_open: dead_letter needs breakers that act; set resilience.breaker to auto "
                    + "or fixed"
            ])
        let resolved = try load(
            """
            listeners:
              - { name: a, protocol: redis, listen: 16379, upstream: 6379, secondary: { address: 6380 } }
              - { name: b, protocol: redis, listen: 16380, upstream: 6379 }
              - { name: c, protocol: nats, listen: 14222, upstream: 4222 }
              - { name: d, protocol: redis, listen: 16381, upstream: embedded }
            resilience: { on_open: [secondary, spool] }
            """)
        #expect(
            resolved.notices == [
                "listener b skips secondary: it names no secondary.address",
                "listener c skips secondary: NATS has the spool alone",
                "listener d skips secondary, spool: its upstream is the embedded log",
            ])
        let configuration = resolved.configuration
        #expect(configuration.fallback(configuration.listeners[0]).uses(.secondary))
        #expect(!configuration.fallback(configuration.listeners[1]).uses(.secondary))
        #expect(configuration.fallback(configuration.listeners[1]).spools)
    }

    @Test("rules: from the file, from variables, and who they are for")
    func rules() throws {
        let resolved = try load(
            """
            \(listener)
            resilience:
              rules:
                - destination: "payments.*"
                  on_open: [secondary, spool]
            """,
            environment: [
                "TACHO_RESILIENCE_RULES_0_ON_OPEN": "spool", "TACHO_RESILIENCE_RULES_1_DESTINATION": "x?",
                "TACHO_RESILIENCE_RULES_1_ON_OPEN": "secondary,dead_letter",
                "TACHO_RESILIENCE_RULES_1_LISTENER": "redis@127.0.0.1:16379",
            ])
        let rules = resolved.configuration.resilience.rules
        #expect(rules.map(\.destination) == [Glob("payments.*"), Glob("x?")])
        #expect(rules.map(\.onOpen.steps) == [[.spool], [.secondary, .deadLetter]])
        #expect(rules.map(\.listener) == [nil, "redis@127.0.0.1:16379"])
        let report = ConfigurationReport(resolved)
        #expect(report.text.contains("resilience.rules[0]: payments.*: on_open spool"))
        #expect(report.json.contains(#""destination" : "x?""#))
        #expect(
            complaints(listener, environment: ["TACHO_RESILIENCE_RULES_1_ON_OPEN": "spool"]) == [
                "TACHO_RESILIENCE_RULES_1_ON_OPEN: no rule at position 1; there are 0, counted from 0"
            ])
    }

    @Test("the secondary of a listener: keys of its own, and what does not fit")
    func secondary() throws {
        let resolved = try load(
            """
            listeners:
              - protocol: redis
                listen: 16379
                upstream: 6379
                secondary:
                  address: other.internal:6379
                  tls: { mode: on, verify: any_name }
                  credentials: { username: us, password_file: /etc/secret }
            resilience: { on_open: secondary, secondary: { wait_milliseconds: 50, connect_milliseconds: 20 } }
            """)
        let secondary = try #require(resolved.configuration.listeners.first?.secondary)
        #expect(secondary.address == .tcp(host: "other.internal", port: 6379) && secondary.tls.verify == .anyName)
        #expect(secondary.listenerTLS.sides(.redis).upstream == .firstByte)
        #expect(secondary.credentials.username == "us")
        #expect(ConfigurationReport(resolved).text.contains(" -> 127.0.0.1:6379, else other.internal:6379 over TLS ("))
        #expect(
            resolved.configuration.fallback(resolved.configuration.listeners[0]).deadlines.secondary == 50_000_000)
        #expect(
            complaints("listeners: [{ protocol: nats, listen: 14222, upstream: 4222, secondary: { address: 6380 } }]")
                == [
                    "tacho.yaml:1:84: listeners[0].secondary.address: is for listeners with protocol redis and a server as "
                        + "their upstream; remove it"
                ])
        #expect(
            complaints("listeners: [{ protocol: redis, listen: 16379, upstream: 6379, secondary: { address: 6379 } }]")
                == [
                    "tacho.yaml:1:85: listeners[0].secondary.address: is the address of upstream too; give another server"
                ])
        #expect(
            complaints(
                "listeners: [{ protocol: redis, listen: 16379, upstream: 6379, secondary: { tls: { mode: on } } }]")
                == [
                    "tacho.yaml:1:89: listeners[0].secondary.tls.mode: needs secondary.address"
                ])
        #expect(
            complaints(
                """
                listeners:
                  - protocol: redis
                    listen: 16379
                    upstream: 6379
                    secondary: { address: 6380, tls: { ca: /nowhere }, credentials: { username: u } }
                """
            ).map { $0.prefix(60) }.count == 2)
        let unused = try load(listener)
        #expect(
            unused.notices == [
                "listener redis@127.0.0.1:16379 never uses its secondary: no resilience.on_open names it"
            ])
    }
}
