/// A growing buffer for protobuf bytes that is used again and again.
///
/// Room is asked for once per span with `reserve`; after that the writing functions check nothing, which is where the
/// speed of the encoder comes from. Only `OTLPEncoder` and what it calls may write.
struct ByteWriter: ~Copyable {
    /// Bytes written.
    private(set) var count = 0
    private var capacity: Int
    private var base: UnsafeMutablePointer<UInt8>

    init(capacity: Int) {
        self.capacity = max(capacity, 1)
        base = .allocate(capacity: self.capacity)
    }

    deinit {
        base.deallocate()
    }

    var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base, count: count) }

    /// Makes room for `amount` more bytes.
    mutating func reserve(_ amount: Int) {
        guard capacity - count < amount else { return }
        let larger = max(capacity * 2, count + amount)
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        memory.update(from: base, count: count)
        base.deallocate()
        base = memory
        capacity = larger
    }

    /// Forgets everything behind the first `count` bytes.
    mutating func truncate(to count: Int) {
        precondition(count <= self.count, "truncating never grows")
        self.count = count
    }

    @inline(__always)
    mutating func byte(_ value: UInt8) {
        base[count] = value
        count &+= 1
    }

    @inline(__always)
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    /// Eight bytes, the least significant first.
    @inline(__always)
    mutating func fixed64(_ value: UInt64) {
        UnsafeMutableRawPointer(base + count).storeBytes(of: value.littleEndian, as: UInt64.self)
        count &+= 8
    }

    @inline(__always)
    mutating func fixed32(_ value: UInt32) {
        UnsafeMutableRawPointer(base + count).storeBytes(of: value.littleEndian, as: UInt32.self)
        count &+= 4
    }

    /// Eight bytes, the most significant first, as ids are written.
    @inline(__always)
    mutating func identifier(_ value: UInt64) {
        UnsafeMutableRawPointer(base + count).storeBytes(of: value.bigEndian, as: UInt64.self)
        count &+= 8
    }

    @inline(__always)
    mutating func raw(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let source = bytes.baseAddress else { return }
        (base + count).update(from: source, count: bytes.count)
        count &+= bytes.count
    }

    @inline(__always)
    mutating func raw(_ text: StaticString) {
        raw(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func raw(_ text: String) {
        var text = text
        text.withUTF8 { raw($0) }
    }

    /// Decimal digits.
    @inline(__always)
    mutating func decimal(_ value: UInt64) {
        var digits = 1
        var rest = value
        while rest >= 10 {
            rest /= 10
            digits &+= 1
        }
        rest = value
        var position = count &+ digits
        count = position
        for _ in 0..<digits {
            position &-= 1
            base[position] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    /// 16 lowercase hexadecimal digits.
    mutating func hexadecimal(_ value: UInt64) {
        var shift: UInt64 = 64
        while shift > 0 {
            shift &-= 4
            let nibble = UInt8(truncatingIfNeeded: value >> shift) & 0x0f
            byte(nibble < 10 ? 0x30 &+ nibble : 0x57 &+ nibble)
        }
    }

    /// Leaves `width` bytes for a length that is known later; they are filled by `patchLength`.
    @inline(__always)
    mutating func placeholder(_ width: Int) -> Int {
        let position = count
        count &+= width
        return position
    }

    /// Writes the number of bytes since the placeholder into it, as a varint of exactly `width` bytes. Should it need
    /// more, the bytes behind it move back: `reserve` must have counted five bytes for each such length.
    @inline(__always)
    mutating func patchLength(at position: Int, width: Int) {
        let length = count &- position &- width
        var needed = width
        if length >> (7 &* width) != 0 {
            needed = Self.varintSize(UInt64(length))
            let body = base + position + width
            (base + position + needed).update(from: body, count: length)
            count &+= needed &- width
        }
        var rest = length
        for offset in 0..<needed {
            let more: UInt8 = offset &+ 1 < needed ? 0x80 : 0
            base[position &+ offset] = UInt8(truncatingIfNeeded: rest) & 0x7f | more
            rest >>= 7
        }
    }

    /// Writes one byte that was left out before.
    @inline(__always)
    mutating func patchByte(at position: Int, _ value: Int) {
        base[position] = UInt8(truncatingIfNeeded: value)
    }

    @inline(__always)
    static func varintSize(_ value: UInt64) -> Int {
        (64 &- (value | 1).leadingZeroBitCount &+ 6) / 7
    }
}
