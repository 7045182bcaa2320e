/// A 128-bit trace id, held as two words so that it lies flat inside a span record.
///
/// The all-zero value is the absence of a trace (W3C Trace Context, section 3.2.2.3 declares it invalid).
public struct TraceID: Hashable, Sendable {
    /// The first 8 bytes, big-endian.
    public var high: UInt64
    /// The last 8 bytes, big-endian.
    public var low: UInt64

    /// The absence of a trace.
    public static let none = TraceID(high: 0, low: 0)

    /// A trace id of these two words.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Whether there is a trace.
    public var isValid: Bool { high != 0 || low != 0 }

    /// The 56 bits that consistent probability sampling calls the trace's randomness
    /// (OpenTelemetry specification, trace/tracestate-probability-sampling).
    public var randomness: UInt64 { low & 0x00ff_ffff_ffff_ffff }
}

extension TraceID: CustomStringConvertible {
    /// 32 lowercase hex digits.
    public var description: String { HexadecimalText.text(high) + HexadecimalText.text(low) }
}

/// A 64-bit span id; zero is the absence of a span.
public struct SpanID: Hashable, Sendable {
    /// The 8 bytes, big-endian.
    public var value: UInt64

    /// The absence of a span.
    public static let none = SpanID(0)

    /// A span id of these 8 bytes.
    public init(_ value: UInt64) {
        self.value = value
    }

    /// Whether there is a span.
    public var isValid: Bool { value != 0 }
}

extension SpanID: CustomStringConvertible {
    /// 16 lowercase hex digits.
    public var description: String { HexadecimalText.text(value) }
}

/// The flags byte of a trace context. Bits are tested, never compared (W3C Trace Context level 2, section 3.2.2.5).
public struct TraceFlags: OptionSet, Hashable, Sendable {
    /// The byte as it is written.
    public let rawValue: UInt8

    /// Any byte: bits that we do not know are kept until they are masked.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The span that wrote the context was kept.
    public static let sampled = TraceFlags(rawValue: 0x01)
    /// The low 7 bytes of the trace id are random.
    public static let random = TraceFlags(rawValue: 0x02)
    /// The bits we understand and may write; all others are written as zero.
    public static let known: TraceFlags = [.sampled, .random]
}

/// Hexadecimal digits without Foundation.
public enum HexadecimalText {
    /// 16 lowercase digits, most significant first.
    public static func text(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { digits in
            var position = 0
            write(value) {
                digits[position] = $0
                position += 1
            }
            return position
        }
    }

    /// The 16 lowercase digits as two words, to be stored in big-endian order: without a branch or a loop, because every
    /// injected message is written with it.
    @inlinable @inline(__always)
    public static func words(_ value: UInt64) -> (high: UInt64, low: UInt64) {
        (word(value >> 32), word(value & 0xffff_ffff))
    }

    /// Spreads eight nibbles over eight bytes, then adds `0`, and what lies between `9` and `a` where a nibble is
    /// above 9.
    @inlinable @inline(__always)
    static func word(_ value: UInt64) -> UInt64 {
        var spread = (value << 16 | value) & 0x0000_ffff_0000_ffff
        spread = (spread << 8 | spread) & 0x00ff_00ff_00ff_00ff
        spread = (spread << 4 | spread) & 0x0f0f_0f0f_0f0f_0f0f
        let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }

    /// Appends the 16 lowercase digits, most significant first.
    @inline(__always)
    public static func write(_ value: UInt64, _ append: (UInt8) -> Void) {
        var shift: UInt64 = 64
        while shift > 0 {
            shift &-= 4
            append(digit(UInt8(truncatingIfNeeded: value >> shift) & 0x0f))
        }
    }

    /// The ASCII digit of a value below 16.
    @inline(__always)
    public static func digit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? nibble &+ 0x30 : nibble &+ 0x57
    }

    /// The value of eight lowercase digits, or nil if they are none: all eight bytes of a word at once, the way back from
    /// `word`. Bytes below 128 cannot carry into their neighbours when less than 128 is added.
    @inline(__always)
    public static func value(ofLowercaseDigits text: Span<UInt8>, at position: Int) -> UInt64? {
        precondition(position >= 0 && position <= text.count &- 8)
        let loaded = text.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self).bigEndian
        let highBits: UInt64 = 0x8080_8080_8080_8080
        guard loaded & highBits == 0 else { return nil }
        // The high bit of a byte is set where it is at least...
        let zero = loaded &+ 0x5050_5050_5050_5050
        let afterNine = loaded &+ 0x4646_4646_4646_4646
        let a = loaded &+ 0x1f1f_1f1f_1f1f_1f1f
        let afterF = loaded &+ 0x1919_1919_1919_1919
        guard ((zero & ~afterNine) | (a & ~afterF)) & highBits == highBits else { return nil }
        let letters = (a & highBits) >> 7
        var digits = (loaded & 0x0f0f_0f0f_0f0f_0f0f) &+ letters &* 9
        digits = (digits | digits >> 4) & 0x00ff_00ff_00ff_00ff
        digits = (digits | digits >> 8) & 0x0000_ffff_0000_ffff
        return (digits | digits >> 16) & 0xffff_ffff
    }

    /// The value of a *lowercase* ASCII digit, or nil: the W3C format has no uppercase form.
    @inline(__always)
    public static func value(ofLowercaseDigit byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x61...0x66: byte &- 0x57
        default: nil
        }
    }
}

extension TraceID {
    /// Reads 32 hex digits of either case, as people paste them; nil when they are no valid id.
    public init?(parsing text: String) {
        let digits = Array(text.utf8)
        guard digits.count == 32, digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let high = UInt64(String(decoding: digits[..<16], as: UTF8.self), radix: 16),
            let low = UInt64(String(decoding: digits[16...], as: UTF8.self), radix: 16), high != 0 || low != 0
        else { return nil }
        self.init(high: high, low: low)
    }

    /// Appends the 32 lowercase hex digits.
    @inline(__always)
    public func write(_ append: (UInt8) -> Void) {
        HexadecimalText.write(high, append)
        HexadecimalText.write(low, append)
    }

    /// Whether these bytes are this id's text form.
    public func isText(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.count == 32, range.lowerBound >= 0, range.upperBound <= bytes.count else { return false }
        let (first, last) = (HexadecimalText.words(high), HexadecimalText.words(low))
        func word(_ index: Int) -> UInt64 {
            bytes.bytes.unsafeLoadUnaligned(fromByteOffset: range.lowerBound &+ index &* 8, as: UInt64.self).bigEndian
        }
        return word(0) == first.high && word(1) == first.low && word(2) == last.high && word(3) == last.low
    }
}
