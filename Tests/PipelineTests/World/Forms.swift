import Pipeline
import Telemetry

/// A command as clients send it.
func command(_ words: String...) -> String { array(words.map(bulk)) }

func command(_ words: String..., fields: [String]) -> String { array((words + fields).map(bulk)) }

func array(_ elements: [String]) -> String { "*\(elements.count)\r\n" + elements.joined() }

func map(_ pairs: [(String, String)]) -> String { "%\(pairs.count)\r\n" + pairs.map { $0.0 + $0.1 }.joined() }

func push(_ elements: String...) -> String { ">\(elements.count)\r\n" + elements.joined() }

func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }

func integer(_ value: Int) -> String { ":\(value)\r\n" }

/// A stream entry as replies carry it.
func entry(_ id: String, _ fields: String...) -> String { array([bulk(id), array(fields.map(bulk))]) }

func entry(_ id: String, fields: [String]) -> String { array([bulk(id), array(fields.map(bulk))]) }

/// The reply to XREAD and XREADGROUP, in the form of RESP2.
func streams(_ streams: (String, [String])...) -> String { array(streams.map { array([bulk($0.0), array($0.1)]) }) }

/// The same in RESP3.
func streamMap(_ streams: (String, [String])...) -> String { map(streams.map { (bulk($0.0), array($0.1)) }) }

let ok = "+OK\r\n"
let queued = "+QUEUED\r\n"

/// Contexts that applications bring along.
enum Context {
    static let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    static let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    static let sampledRandom = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"
    static let uppercase = "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01"
    static let zeroTrace = "00-00000000000000000000000000000000-b7ad6b7169203331-01"
    static let zeroSpan = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"

    /// Contexts as injection writes them, one after the other, for what was once published through a sidecar.
    static func injected(seed: UInt64 = 7, flags: TraceFlags = [.sampled, .random]) -> Injected {
        var identifiers = IdentifierSource(seed: (seed, 2, 3, 4))
        let traceID = identifiers.traceID()
        let context = TraceContext(
            traceID: traceID, spanID: identifiers.markedSpanID(in: traceID), flags: flags)
        return Injected(traceparent: "\(context)", correlation: "\(traceID)")
    }
}

/// What injection adds to an entry.
struct Injected {
    var traceparent: String
    var correlation: String

    var fields: [String] { ["traceparent", traceparent, "correlationid", correlation] }
}
