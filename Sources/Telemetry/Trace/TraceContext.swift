/// What one message carries of a trace: which trace, which span wrote it, and whether that span was kept.
///
/// Reads and writes the `traceparent` text form (W3C Trace Context level 2, section 3.2). It knows nothing of
/// carriers: where the text sits in a message is the binding's business.
public struct TraceContext: Hashable, Sendable {
    /// The trace.
    public var traceID: TraceID
    /// The span that wrote the context.
    public var spanID: SpanID
    /// Whether that span was kept, and whether the trace id is random.
    public var flags: TraceFlags

    /// A context with these parts; whether they are valid is for the caller to know.
    public init(traceID: TraceID, spanID: SpanID, flags: TraceFlags) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
    }

    /// Whether the span that wrote the context was kept.
    public var isSampled: Bool { flags.contains(.sampled) }

    /// The length of the version 00 text form in bytes.
    public static let textLength = 55

    /// Parses a `traceparent` value; nil when it is invalid, in which case the whole header counts as absent.
    ///
    /// Version `ff` and all-zero ids are invalid. A higher version is read by its first four fields, and what
    /// follows them must begin with `-`.
    public init?(parsing text: Span<UInt8>) {
        guard text.count >= Self.textLength,
            text[2] == Self.dash, text[35] == Self.dash, text[52] == Self.dash,
            let version = Self.hexadecimal(text, 0..<2), version != 0xff,
            let high = Self.word(text, at: 3),
            let low = Self.word(text, at: 19),
            let span = Self.word(text, at: 36),
            let flagBits = Self.hexadecimal(text, 53..<55)
        else { return nil }
        if text.count > Self.textLength {
            guard version != 0, text[Self.textLength] == Self.dash else { return nil }
        }
        let traceID = TraceID(high: high, low: low)
        let spanID = SpanID(span)
        guard traceID.isValid, spanID.isValid else { return nil }
        self.init(
            traceID: traceID, spanID: spanID,
            flags: TraceFlags(rawValue: UInt8(truncatingIfNeeded: flagBits)).intersection(.known))
    }

    /// Appends the 55 bytes of the version 00 text form.
    @inline(__always)
    public func write(_ append: (UInt8) -> Void) {
        append(0x30)
        append(0x30)
        append(Self.dash)
        traceID.write(append)
        append(Self.dash)
        HexadecimalText.write(spanID.value, append)
        append(Self.dash)
        append(0x30)
        append(HexadecimalText.digit(flags.intersection(.known).rawValue))
    }

    private static let dash = UInt8(ascii: "-")

    /// The value of 16 digits.
    @inline(__always)
    private static func word(_ text: Span<UInt8>, at position: Int) -> UInt64? {
        guard let high = HexadecimalText.value(ofLowercaseDigits: text, at: position),
            let low = HexadecimalText.value(ofLowercaseDigits: text, at: position &+ 8)
        else { return nil }
        return high << 32 | low
    }

    private static func hexadecimal(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
        var value: UInt64 = 0
        for position in range {
            guard let digit = HexadecimalText.value(ofLowercaseDigit: text[position]) else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }
}

extension TraceContext: CustomStringConvertible {
    /// The version 00 text form.
    public var description: String {
        String(unsafeUninitializedCapacity: Self.textLength) { text in
            var position = 0
            write {
                text[position] = $0
                position += 1
            }
            return position
        }
    }
}
