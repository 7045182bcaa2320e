import Wire

/// What a subject says by its name.
enum NATSSubject {
    /// The families of subjects that are treated differently when somebody publishes to them.
    enum Family {
        /// The application's own.
        case message
        /// Where somebody waits for an answer.
        case inbox
        /// The acknowledgement of a JetStream message.
        case acknowledgement
        /// A request for JetStream messages.
        case fetch
        /// Any other request to JetStream.
        case api
        /// A key of a key-value bucket.
        case keyValue
        /// An object of an object store.
        case object
        /// The server's own: system events, service discovery.
        case system
    }

    @inline(__always)
    static func family(_ bytes: Span<UInt8>, _ subject: Range<Int>) -> Family {
        guard let first = subject.first else { return .message }
        switch bytes[first] {
        case UInt8(ascii: "_"): return ASCIIText.hasPrefix(bytes, in: subject, "_INBOX.") ? .inbox : .message
        case UInt8(ascii: "$"): return systemFamily(bytes, subject)
        default: return .message
        }
    }

    private static func systemFamily(_ bytes: Span<UInt8>, _ subject: Range<Int>) -> Family {
        if ASCIIText.hasPrefix(bytes, in: subject, "$JS.") {
            if ASCIIText.hasPrefix(bytes, in: subject, "$JS.ACK.") { return .acknowledgement }
            guard let api = apiPlace(bytes, subject) else { return .api }
            return ASCIIText.hasPrefix(bytes, in: api..<subject.upperBound, "CONSUMER.MSG.NEXT.") ? .fetch : .api
        }
        if ASCIIText.hasPrefix(bytes, in: subject, "$KV.") { return .keyValue }
        if ASCIIText.hasPrefix(bytes, in: subject, "$O.") { return .object }
        if ASCIIText.hasPrefix(bytes, in: subject, "$SYS.") || ASCIIText.hasPrefix(bytes, in: subject, "$SRV.") {
            return .system
        }
        return .message
    }

    /// Behind `$JS.API.` or `$JS.<domain>.API.`.
    static func apiPlace(_ bytes: Span<UInt8>, _ subject: Range<Int>) -> Int? {
        var place = subject.lowerBound + 4
        for _ in 0..<2 {
            if ASCIIText.hasPrefix(bytes, in: place..<subject.upperBound, "API.") { return place + 4 }
            guard let dot = (place..<subject.upperBound).first(where: { bytes[$0] == UInt8(ascii: ".") }) else {
                return nil
            }
            place = dot + 1
        }
        return nil
    }

    /// `<stream>.<consumer>`.
    static func streamAndConsumer(_ bytes: Span<UInt8>, _ rest: Range<Int>) -> (Range<Int>, Range<Int>)? {
        guard let dot = rest.first(where: { bytes[$0] == UInt8(ascii: ".") }), dot > rest.lowerBound,
            dot + 1 < rest.upperBound
        else { return nil }
        return (rest.lowerBound..<dot, dot + 1..<rest.upperBound)
    }

    /// The part of `$KV.<bucket>.<key>` and `$O.<bucket>...` that names the store: keys are many, and not ours to tell.
    static func store(_ bytes: Span<UInt8>, _ subject: Range<Int>) -> Range<Int> {
        var dots = 0
        for index in subject where bytes[index] == UInt8(ascii: ".") {
            dots += 1
            if dots == 2 { return subject.lowerBound..<index }
        }
        return subject
    }

    /// Whether a subject is a pattern: a token of it is `*` or `>`.
    static func isPattern(_ bytes: Span<UInt8>, _ subject: Range<Int>) -> Bool {
        var isStart = true
        for index in subject {
            let byte = bytes[index]
            if isStart, byte == UInt8(ascii: "*") || byte == UInt8(ascii: ">"),
                index + 1 == subject.upperBound || bytes[index + 1] == UInt8(ascii: ".")
            {
                return true
            }
            isStart = byte == UInt8(ascii: ".")
        }
        return false
    }

    /// Whether a subject is one of those that a pattern stands for: `*` is any token, `>` at the end any tokens.
    static func matches(_ bytes: Span<UInt8>, _ subject: Range<Int>, _ pattern: [UInt8]) -> Bool {
        var position = subject.lowerBound
        var index = 0
        while index < pattern.count {
            let endsToken = index + 1 == pattern.count || pattern[index + 1] == UInt8(ascii: ".")
            let beginsToken = index == 0 || pattern[index - 1] == UInt8(ascii: ".")
            if beginsToken, endsToken, pattern[index] == UInt8(ascii: ">") { return position < subject.upperBound }
            if beginsToken, endsToken, pattern[index] == UInt8(ascii: "*") {
                let start = position
                while position < subject.upperBound, bytes[position] != UInt8(ascii: ".") { position += 1 }
                guard position > start else { return false }
            } else {
                guard position < subject.upperBound, bytes[position] == pattern[index] else { return false }
                position += 1
            }
            index += 1
        }
        return position == subject.upperBound
    }
}
