import Telemetry
import Wire

/// Finds the entries in a reply, whichever command gave it, and notes the removal of what we had added to them.
///
/// Works on the flat list of tokens: a value is its token and the deeper tokens behind it. Each method takes the number
/// of a value's token and returns the number of the next value's, or nil when the shape is not the expected one.
struct StreamReplyReader {
    let tokens: [RESPToken]
    /// Where the frame starts in the buffer.
    let base: Int
    let strips: Bool
    let correlationFields: CorrelationFields
    /// The entries found since the last `clear`.
    private(set) var messages: [Delivered] = []
    private(set) var strippedCount: UInt64 = 0

    /// `storage` is an empty array whose memory is used for the messages; `messages` gives it back, once cleared.
    init(
        tokens: [RESPToken], base: Int, strips: Bool, correlationFields: CorrelationFields = .standard,
        storage: consuming [Delivered] = []
    ) {
        self.tokens = tokens
        self.base = base
        self.strips = strips
        self.correlationFields = correlationFields
        messages = storage
    }

    /// The messages have been delivered; the next stream of the reply begins. One large reply does not leave its memory
    /// behind for ever.
    mutating func clear() {
        messages.removeAll(keepingCapacity: messages.count <= Self.messagesKept)
    }

    private static let messagesKept = 1_024

    func skip(_ index: Int) -> Int {
        var next = index + 1
        while next < tokens.count, tokens[next].depth > tokens[index].depth { next += 1 }
        return next
    }

    func range(_ index: Int) -> Range<Int> {
        let start = base &+ tokens[index].valueOffset
        return start..<(start &+ max(0, tokens[index].length))
    }

    /// `[entry, ...]`; a deleted entry may be null.
    mutating func entries(at index: Int, _ bytes: Span<UInt8>, _ splices: inout SpliceList) -> Int? {
        guard index < tokens.count, tokens[index].kind == .array else { return nil }
        var next = index + 1
        for _ in 0..<max(0, tokens[index].length) {
            guard let after = entry(at: next, bytes, &splices) else { return nil }
            next = after
        }
        return next
    }

    /// `[id, [field, value, ...]]`; with CLAIM followed by the idle time and by how often it was delivered before.
    mutating func entry(at index: Int, _ bytes: Span<UInt8>, _ splices: inout SpliceList) -> Int? {
        guard index < tokens.count else { return nil }
        let after = skip(index)
        guard tokens[index].kind == .array, tokens[index].length >= 2 else {
            // Null stands for an entry that is gone.
            return tokens[index].kind == .null || tokens[index].length < 0 ? after : nil
        }
        guard index + 2 < tokens.count, tokens[index + 1].kind == .bulkString,
            let id = RESPText.entryID(bytes, in: range(index + 1))
        else { return nil }
        let fields = index + 2
        guard tokens[fields].kind == .array, tokens[fields].length >= 0 else {
            return tokens[fields].kind == .null || tokens[fields].length < 0 ? after : nil
        }
        guard tokens[fields].length % 2 == 0, fields + tokens[fields].length < tokens.count else { return nil }
        read(fields, id, bytes, &splices)
        if let deliveries = earlierDeliveries(index, after, bytes) {
            messages[messages.count - 1].attempt = UInt32(clamping: deliveries) &+ 1
        }
        return after
    }

    /// The last of an entry's four elements: 0 for a message that is new to the group.
    private func earlierDeliveries(_ index: Int, _ after: Int, _ bytes: Span<UInt8>) -> Int? {
        guard tokens[index].length == 4, tokens[after - 1].kind == .integer else { return nil }
        return RESPText.integer(bytes, in: range(after - 1)).map { max(0, min($0, Int(UInt32.max) - 1)) }
    }

    private mutating func read(
        _ fields: Int, _ id: (milliseconds: UInt64, sequence: UInt64), _ bytes: Span<UInt8>,
        _ splices: inout SpliceList
    ) {
        var message = Delivered(
            messageID: .streamEntry(milliseconds: id.milliseconds, sequence: id.sequence),
            storedUnixNanoseconds: Self.nanoseconds(ofMilliseconds: id.milliseconds), context: nil, conversation: nil,
            traceState: nil, bodySize: 0)
        let end = fields + 1 + tokens[fields].length
        var contextAt: Int?
        var conversation: Range<Int>?
        var traceState: Range<Int>?
        var hasOwnCausation = false
        var name = fields + 1
        while name < end {
            let nameRange = range(name)
            let value = range(name + 1)
            if message.context == nil, ContextNames.isTraceParent(bytes, nameRange) {
                message.context = TraceContext(parsing: bytes.extracting(value))
                contextAt = name
            } else if conversation == nil, correlationFields.contains(bytes, nameRange), !value.isEmpty {
                conversation = value
            } else if traceState == nil, ContextNames.isTraceState(bytes, nameRange), !value.isEmpty {
                traceState = value
            } else if contextAt == nil, ContextNames.isCausation(bytes, nameRange) {
                hasOwnCausation = true
            }
            message.bodySize &+= Int64(nameRange.count &+ value.count)
            name += 2
        }
        if let context = message.context, let contextAt {
            let ours = contextAt..<end
            if let added = added(context, ours, hasOwnCausation, bytes) {
                for token in ours { message.bodySize &-= Int64(range(token).count) }
                // The application's own stands in front of ours, and then we add none.
                if let correlation = added.correlation {
                    let value = range(correlation + 1)
                    conversation = context.traceID.isText(bytes, value) ? nil : value
                }
                if strips { remove(ours, from: fields, &splices) }
            }
        }
        if let traceState, message.context?.isSampled == true {
            message.traceState = ContextNames.text(bytes, traceState)
        }
        if let conversation {
            let text = ContextNames.text(bytes, conversation)
            message.conversation = text
            message.conversationIsExact = ContextNames.isText(text, bytes, conversation)
        }
        messages.append(message)
    }

    /// An id may be any number; what is too large for a time is none.
    private static func nanoseconds(ofMilliseconds milliseconds: UInt64) -> UInt64 {
        let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? 0 : product
    }

    /// What injection has appended to an entry.
    private struct Added {
        /// The token of the name of our correlation id.
        var correlation: Int?
    }

    /// Whether these last fields are those that injection appends: our mark in the context, and behind it at most a
    /// tracestate, the correlation id and the id of the cause, in this order. Nil if not.
    private func added(
        _ context: TraceContext, _ fields: Range<Int>, _ hasOwnCausation: Bool, _ bytes: Span<UInt8>
    ) -> Added? {
        guard InjectionMark.isPresent(in: context) else { return nil }
        var added = Added()
        var name = fields.lowerBound + 2
        if name < fields.upperBound, ContextNames.isTraceState(bytes, range(name)),
            ContextNames.isProbability(bytes, range(name + 1))
        {
            name += 2
        }
        var isInherited = false
        if name < fields.upperBound, ContextNames.isCorrelation(bytes, range(name)) {
            added.correlation = name
            isInherited = !context.traceID.isText(bytes, range(name + 1))
            name += 2
        }
        if name < fields.upperBound, ContextNames.isCausation(bytes, range(name)),
            RESPText.entryID(bytes, in: range(name + 1)) != nil
        {
            name += 2
        } else if isInherited, !hasOwnCausation {
            // Only a message with a known cause is given another correlation id than its trace's, and its cause with it
            // unless the application has named one.
            return nil
        }
        return name == fields.upperBound ? added : nil
    }

    private mutating func remove(_ ours: Range<Int>, from fields: Int, _ splices: inout SpliceList) {
        let header = tokens[fields]
        splices.replace(at: base + header.offset, removing: header.endOffset - header.offset) { bytes in
            RESPWriter.appendHeader(type: UInt8(ascii: "*"), count: header.length - ours.count, to: &bytes)
        }
        let first = tokens[ours.lowerBound]
        let last = tokens[ours.upperBound - 1]
        splices.replace(at: base + first.offset, removing: last.endOffset - first.offset) { _ in }
        strippedCount += 1
    }
}
