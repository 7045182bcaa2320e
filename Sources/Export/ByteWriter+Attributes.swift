/// KeyValue messages, the most frequent thing in a span, written by hand. Keys are ours and shorter than 100 bytes.
extension ByteWriter {
    /// The beginning of a KeyValue with a text of `textCount` bytes, up to where the text follows.
    @inline(__always)
    mutating func attributeHead(_ tag: UInt8, _ key: StaticString, textCount: Int) {
        let text = UInt64(truncatingIfNeeded: textCount)
        let any = 1 &+ Self.varintSize(text) &+ textCount
        let keyCount = key.utf8CodeUnitCount
        byte(tag)
        varint(UInt64(2 &+ keyCount &+ 1 &+ Self.varintSize(UInt64(any)) &+ any))
        byte(0x0a)
        byte(UInt8(truncatingIfNeeded: keyCount))
        raw(key)
        byte(0x12)
        varint(UInt64(any))
        byte(0x0a)
        varint(text)
    }

    /// Puts the length of a short text into the three lengths of an attribute that was begun with length 0.
    @inline(__always)
    mutating func growAttribute(head: Int, _ key: StaticString, textCount: Int) {
        let keyCount = key.utf8CodeUnitCount
        patchByte(at: head &+ 1, 2 &+ keyCount &+ 4 &+ textCount)
        patchByte(at: head &+ 4 &+ keyCount &+ 1, 2 &+ textCount)
        patchByte(at: head &+ 4 &+ keyCount &+ 3, textCount)
    }

    /// A KeyValue with an integer.
    @inline(__always)
    mutating func attribute(_ tag: UInt8, _ key: StaticString, _ value: Int64) {
        let number = UInt64(bitPattern: value)
        let any = 1 &+ Self.varintSize(number)
        attributeHead(tag, key, valueCount: any)
        byte(0x18)
        varint(number)
    }

    /// A KeyValue with a floating-point number.
    @inline(__always)
    mutating func attribute(_ tag: UInt8, _ key: StaticString, _ value: Double) {
        attributeHead(tag, key, valueCount: 9)
        byte(0x21)
        fixed64(value.bitPattern)
    }

    /// The beginning of a KeyValue whose AnyValue has a size below 128.
    @inline(__always)
    private mutating func attributeHead(_ tag: UInt8, _ key: StaticString, valueCount: Int) {
        let keyCount = key.utf8CodeUnitCount
        byte(tag)
        byte(UInt8(truncatingIfNeeded: 4 &+ keyCount &+ valueCount))
        byte(0x0a)
        byte(UInt8(truncatingIfNeeded: keyCount))
        raw(key)
        byte(0x12)
        byte(UInt8(truncatingIfNeeded: valueCount))
    }
}
