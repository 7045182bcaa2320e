import Wire

/// What a server's INFO says that concerns the session, and its text as the client is to see it.
struct NATSServerInfo {
    /// Whether the server takes headers, and whether the text says so at all.
    var supportsHeaders = false
    var saysHeaders = false
    /// Whether the server insists on TLS, or offers it.
    var requiresTLS = false
    var offersTLS = false
    /// It tells the way of messages on request: version 2.11 or newer.
    var tracesMessages = false
    /// The largest payload with its headers that the server takes.
    var payloadMax = Int.max
    /// The addresses of the cluster; nil when the text says nothing of them.
    var servers: [String]?
    /// The text for the client.
    private(set) var text: [UInt8] = []

    /// Before any INFO.
    static let unknown = NATSServerInfo()

    private init() {}

    /// A later INFO may tell less than the first: what it does not say stays.
    mutating func update(_ later: NATSServerInfo) {
        if later.saysHeaders { supportsHeaders = later.supportsHeaders }
        if later.payloadMax != .max { payloadMax = later.payloadMax }
        tracesMessages = tracesMessages || later.tracesMessages
    }

    /// Nil when the text is no JSON object, and so cannot be understood.
    init?(_ bytes: Span<UInt8>, in range: Range<Int>, options: NATSOptions, tls: SessionTLS) {
        guard var members = JSONMembers(bytes, in: range) else { return nil }
        text.reserveCapacity(range.count)
        text.append(UInt8(ascii: "{"))
        while let member = members.next(bytes) {
            note(member, bytes)
            if !isReplaced(member, bytes, options, tls) { append(bytes, member.whole) }
        }
        guard members.isComplete else { return nil }
        if case .listed(let addresses) = options.advertised {
            append("\"connect_urls\":[\(addresses.map { "\"\($0)\"" }.joined(separator: ","))]")
        }
        if tls.client == .afterGreeting {
            append("\"tls_required\":true")
            if tls.clientIsVerified { append("\"tls_verify\":true") }
        }
        text.append(UInt8(ascii: "}"))
    }

    private mutating func note(_ member: JSONMembers.Member, _ bytes: Span<UInt8>) {
        if JSONMembers.isKey(member, bytes, "headers") {
            supportsHeaders = JSONMembers.isWord(member, bytes, "true")
            saysHeaders = true
        } else if JSONMembers.isKey(member, bytes, "max_payload") {
            payloadMax = ASCIIText.unsigned(bytes, in: member.value).map { Int(clamping: $0) } ?? .max
        } else if JSONMembers.isKey(member, bytes, "tls_required") {
            requiresTLS = JSONMembers.isWord(member, bytes, "true")
        } else if JSONMembers.isKey(member, bytes, "tls_available") {
            offersTLS = JSONMembers.isWord(member, bytes, "true")
        } else if JSONMembers.isKey(member, bytes, "version"), let text = JSONMembers.text(member, bytes) {
            tracesMessages = Self.isVersion(bytes, text, atLeast: (2, 11))
        } else if JSONMembers.isKey(member, bytes, "connect_urls") {
            servers = Self.strings(bytes, in: member.value)
        }
    }

    /// Members that the client does not see as the server wrote them: whatever would lead it around the sidecar, and
    /// what the server says of an encryption that ends here.
    private func isReplaced(
        _ member: JSONMembers.Member, _ bytes: Span<UInt8>, _ options: NATSOptions, _ tls: SessionTLS
    ) -> Bool {
        if options.advertised != .server,
            JSONMembers.isKey(member, bytes, "connect_urls") || JSONMembers.isKey(member, bytes, "ws_connect_urls")
        {
            return true
        }
        guard tls.upstream != .never || tls.client != .never else { return false }
        return JSONMembers.isKey(member, bytes, "tls_required") || JSONMembers.isKey(member, bytes, "tls_available")
            || JSONMembers.isKey(member, bytes, "tls_verify")
    }

    private static func isVersion(_ bytes: Span<UInt8>, _ text: Range<Int>, atLeast least: (UInt64, UInt64)) -> Bool {
        guard let dot = text.first(where: { bytes[$0] == UInt8(ascii: ".") }) else { return false }
        let rest = dot + 1..<text.upperBound
        let end = rest.first { bytes[$0] == UInt8(ascii: ".") } ?? rest.upperBound
        guard let major = ASCIIText.unsigned(bytes, in: text.lowerBound..<dot),
            let minor = ASCIIText.unsigned(bytes, in: rest.lowerBound..<end)
        else { return false }
        return (major, minor) >= least
    }

    private mutating func append(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        separate()
        for index in range { text.append(bytes[index]) }
    }

    private mutating func append(_ member: String) {
        separate()
        text.append(contentsOf: member.utf8)
    }

    private mutating func separate() {
        if text.count > 1 { text.append(UInt8(ascii: ",")) }
    }

    /// The strings of an array; those with escapes are left out, no address has any.
    private static func strings(_ bytes: Span<UInt8>, in array: Range<Int>) -> [String] {
        var strings: [String] = []
        var start: Int?
        for index in array where bytes[index] == UInt8(ascii: "\"") {
            if let first = start {
                let text = String(decoding: (first..<index).map { bytes[$0] }, as: UTF8.self)
                if !text.utf8.contains(UInt8(ascii: "\\")), strings.count < serversMax { strings.append(text) }
                start = nil
            } else {
                start = index + 1
            }
        }
        return strings
    }

    private static let serversMax = 256
}

/// What a client's CONNECT says that concerns the session. It holds credentials too, which are not looked at.
struct NATSClientOptions {
    /// Whether the client can read headers.
    private(set) var readsHeaders = false
    /// The client wants to hear that nobody answers, which servers refuse without headers.
    private(set) var wantsNoResponders = false
    /// The client wants a `+OK` for all that it sends; it has to say if it does not.
    private(set) var isVerbose = true
    /// The client's name for itself; empty without one.
    private(set) var name = 0..<0
    /// The values of `headers`, mostly one or none.
    private(set) var headerValues: [Range<Int>] = []
    /// Where a first member would stand.
    private(set) var firstPlace = 0
    private(set) var hasMembers = false

    /// Nil when the text is no JSON object.
    init?(_ bytes: Span<UInt8>, in range: Range<Int>) {
        guard var members = JSONMembers(bytes, in: range), let place = JSONMembers.firstPlace(bytes, in: range) else {
            return nil
        }
        firstPlace = place
        while let member = members.next(bytes) {
            hasMembers = true
            if JSONMembers.isKey(member, bytes, "headers") {
                readsHeaders = JSONMembers.isWord(member, bytes, "true")
                headerValues.append(member.value)
            } else if JSONMembers.isKey(member, bytes, "no_responders") {
                wantsNoResponders = JSONMembers.isWord(member, bytes, "true")
            } else if JSONMembers.isKey(member, bytes, "verbose") {
                isVerbose = JSONMembers.isWord(member, bytes, "true")
            } else if JSONMembers.isKey(member, bytes, "name"), let text = JSONMembers.text(member, bytes) {
                name = text.contains { bytes[$0] == UInt8(ascii: "\\") } ? 0..<0 : text
            }
        }
        guard members.isComplete else { return nil }
    }

    /// Notes the edits that make the server send headers, at `text`'s own places.
    func askForHeaders(_ splices: inout SpliceList) {
        if headerValues.isEmpty {
            splices.replace(at: firstPlace, removing: 0) { bytes in
                bytes.append(contentsOf: "\"headers\":true".utf8)
                if hasMembers { bytes.append(UInt8(ascii: ",")) }
            }
        }
        for value in headerValues {
            splices.replace(at: value.lowerBound, removing: value.count) { $0.append(contentsOf: "true".utf8) }
        }
    }
}
