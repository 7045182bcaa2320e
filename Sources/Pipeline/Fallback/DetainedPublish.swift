import Telemetry
import Wire

/// An XADD that its upstream may not be given, as others are to get it: with everything that is added to it.
struct DetainedPublish {
    /// The bytes of the command in front of the id, and those behind it.
    private let head: [UInt8]
    private let id: [UInt8]
    private let tail: [UInt8]
    /// Of the span that a later sending on belongs to, sampled or not.
    private let traceParent: String

    /// - Parameter idArgument: the number of the id among the arguments.
    init(
        _ arguments: RedisArguments, _ bytes: Span<UInt8>, _ idArgument: Int, _ injection: Injection,
        _ context: TraceContext?, _ open: OpenSend
    ) {
        let (tokens, base) = (arguments.tokens, arguments.base)
        let token = tokens[idArgument + 1]
        var head: [UInt8] = []
        RESPWriter.appendHeader(
            type: UInt8(ascii: "*"), count: tokens[0].length + injection.elementCount, to: &head)
        head += Array(copying: bytes, (base + tokens[0].endOffset)..<(base + token.offset))
        self.head = head
        id = Array(copying: bytes, (base + token.offset)..<(base + token.endOffset))
        var tail = Array(copying: bytes, (base + token.endOffset)..<(base + tokens[tokens.count - 1].endOffset))
        ContextFields.append(injection, to: &tail)
        self.tail = tail
        var written = context
        if case .add(let added, _, _, _) = injection { written = added }
        let parent = TraceContext(
            traceID: open.context.traceID, spanID: open.context.spanID, flags: open.context.flags)
        traceParent = (written == nil ? open.context : parent).description
    }

    /// As it is written to another broker.
    var command: [UInt8] { head + id + tail }

    /// As it is kept on disk, where it gets an id of ours.
    func spooled(base: UInt64) -> SpooledMessage {
        SpooledMessage(
            .redis(SpooledEntry(head: head, tail: tail, sequenceBase: base)), traceParent: traceParent)
    }
}
