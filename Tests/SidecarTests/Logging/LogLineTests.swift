import Logging
import Testing

@testable import Sidecar

@Suite("Log lines")
struct LogLineTests {
    /// 2026-03-01T00:00:00.007Z
    private static let time: UInt64 = 1_772_323_200_007_999_999

    private func line(_ format: LogLine.Format, _ message: String, _ metadata: Logger.Metadata = [:]) -> String {
        LogLine.render(level: .info, message: message, metadata: metadata, time: Self.time, format: format)
    }

    @Test("for a program")
    func json() {
        #expect(line(.json, "ready") == #"{"ts":"2026-03-01T00:00:00.007Z","level":"info","msg":"ready"}"#)
        #expect(
            line(
                .json, "say \"hi\"\n\u{1}\u{1B}\\é",
                ["peer": ["port": "1", "hosts": ["a", "b"]], "msg": "taken", "n": .stringConvertible(7)])
                == #"{"ts":"2026-03-01T00:00:00.007Z","level":"info","msg":"say \"hi\"\n\u0001\u001b\\é","#
                + #""metadata.msg":"taken","n":"7","peer.hosts.0":"a","peer.hosts.1":"b","peer.port":"1"}"#)
    }

    @Test("for a person")
    func text() {
        #expect(line(.text, "ready") == "2026-03-01T00:00:00.007Z info     ready")
        #expect(
            line(
                .text, "two\nlines \u{1B}[2J",
                ["b": "plain", "a": "two words", "c": "", "d": "x=\"y\"", "e": "\u{9B}m"])
                == #"2026-03-01T00:00:00.007Z info     two\nlines \u001b[2J a="two words" b=plain c="" "#
                + #"d="x=\"y\"" e="\u009bm""#)
    }

    @Test("a long value is cut")
    func cut() {
        let long = String(repeating: "x", count: 1025)
        #expect(line(.text, "", ["v": "\(long)"]).hasSuffix("v=" + String(repeating: "x", count: 1024) + "…"))
    }

    @Test(
        "times",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"), (1_709_164_800, "2024-02-29T00:00:00.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"), (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ])
    func times(seconds: UInt64, text: String) {
        #expect(LogLine.timestamp(seconds * 1_000_000_000) == text)
    }
}
