import Pipeline
import Testing

/// However the bytes arrive, the same bytes leave and the same spans are made.
@Suite struct SplitTests {
    private static let ours = Context.injected().fields

    static let scripts: [String: Script] = [
        "publish": Script(steps: [
            .client(
                command("GET", "x") + command("XADD", "s", "MAXLEN", "~", "10", "*", "k", "v")
                    + "XADD s * inline 1\r\n" + "\r\n*0\r\n" + command("XADD", "s", "*", "traceparent", Context.sampled)
                    + command("PUBLISH", "news", "hi") + "ping\r\n"),
            .upstream("$-1\r\n" + bulk("1-0") + bulk("2-0") + "-OOM no\r\n" + integer(1) + "+PONG\r\n"),
        ]),
        "deliver": Script(steps: [
            .client(command("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "t", ">", ">")),
            .upstream(
                streams(
                    ("s", [entry("1-0", fields: ["k", "v"] + ours), entry("2-0", "k", "v")]),
                    ("t", [entry("3-0", fields: ours)]))),
            .client(command("XACK", "s", "g", "1-0") + command("XCLAIM", "s", "g", "d", "0", "2-0")),
            .upstream(integer(1) + array([entry("2-0", "k", "v"), "*-1\r\n"])),
        ]),
        "transaction": Script(steps: [
            .client(
                command("MULTI") + command("XADD", "s", "*", "k", "v") + command("XRANGE", "s", "-", "+")
                    + command("EXEC")),
            .upstream(ok + queued + queued + array([bulk("1-0"), array([entry("1-0", fields: ["k", "v"] + ours)])])),
        ]),
        "subscribe": Script(steps: [
            .client(command("SUBSCRIBE", "a", "b") + command("PSUBSCRIBE", "c*") + command("PING")),
            .upstream(
                array([bulk("subscribe"), bulk("a"), integer(1)]) + array([bulk("message"), bulk("a"), bulk("1")])
                    + array([bulk("subscribe"), bulk("b"), integer(2)])
                    + array([bulk("psubscribe"), bulk("c*"), integer(3)])
                    + array([bulk("pmessage"), bulk("c*"), bulk("c1"), bulk("2")]) + array([bulk("pong"), bulk("")])),
            .client(command("UNSUBSCRIBE") + command("RESET") + command("MONITOR")),
            .upstream(
                array([bulk("unsubscribe"), bulk("a"), integer(2)])
                    + array([bulk("unsubscribe"), bulk("b"), integer(1)])
                    + "+RESET\r\n" + ok + "+1700000000.1 [0 x] \"get\"\r\n"),
        ]),
        "protocol 3": Script(steps: [
            .client(command("HELLO", "3", "AUTH", "u", "p", "SETNAME", "me") + command("XREAD", "STREAMS", "s", "0")),
            .upstream(
                map([(bulk("proto"), integer(3))]) + push(bulk("invalidate"), array([bulk("k")]))
                    + "|1\r\n+ttl\r\n:1\r\n" + streamMap(("s", [entry("1-0", fields: ["k", "v"] + ours)]))),
        ]),
        "nonsense at the end": Script(steps: [
            .client(command("XADD", "s", "*", "k", "v") + "*1\r\n:1\r\n" + command("XADD", "s", "*", "k", "v")),
            .upstream(bulk("1-0") + "nonsense"),
        ]),
    ]

    @Test(arguments: scripts.keys.sorted()) func everyPlaceToCut(_ name: String) throws {
        let script = try #require(Self.scripts[name])
        let whole = script.run(in: World(deliver: .strip)) { [$0[...]] }
        #expect(whole.spans.isEmpty == false)
        let longest = script.steps.map { step -> Int in
            switch step {
            case .client(let text), .upstream(let text): text.utf8.count
            }
        }
        for position in 1..<(longest.max() ?? 1) {
            let cut = script.run(in: World(deliver: .strip)) { bytes in
                position < bytes.count ? [bytes[..<position], bytes[position...]] : [bytes[...]]
            }
            guard cut == whole else {
                #expect(cut == whole, "cut at \(position)")
                return
            }
        }
    }

    @Test(arguments: scripts.keys.sorted()) func byteByByte(_ name: String) throws {
        let script = try #require(Self.scripts[name])
        let whole = script.run(in: World(deliver: .strip)) { [$0[...]] }
        let bytes = script.run(in: World(deliver: .strip)) { bytes in bytes.indices.map { bytes[$0...$0] } }
        #expect(bytes == whole)
    }
}
