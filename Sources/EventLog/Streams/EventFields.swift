/// The names and values of one entry, in order, repetitions allowed: one flat byte string that is stored as it is.
///
/// Each name and each value is a length (LEB128, https://dwarfstd.org/doc/DWARF5.pdf section 7.6) and its bytes, so an
/// entry costs one allocation however many fields it has, and is copied to disk and back without being looked into.
public struct EventFields: Hashable, Sendable {
    /// What is stored.
    public private(set) var encoded: [UInt8]
    /// Pairs of a name and a value.
    public private(set) var count: Int

    /// No fields yet, and room for so many bytes.
    public init(reservingBytes: Int = 0) {
        encoded = []
        encoded.reserveCapacity(reservingBytes)
        count = 0
    }

    /// What a store has kept. Nil when the bytes are not whole pairs.
    public init?(encoded: [UInt8]) {
        self.encoded = encoded
        count = 0
        var position = 0
        var items = 0
        while position < encoded.count {
            guard let range = Self.item(encoded, &position) else { return nil }
            position = range.upperBound
            items += 1
        }
        guard items % 2 == 0 else { return nil }
        count = items / 2
    }

    /// What a store has kept, whole when it was written: its pairs were counted then.
    public init(trustedEncoded: [UInt8], count: Int) {
        encoded = trustedEncoded
        self.count = count
    }

    /// Adds one pair.
    public mutating func append(name: some Collection<UInt8>, value: some Collection<UInt8>) {
        append(name)
        append(value)
        count += 1
    }

    private mutating func append(_ item: some Collection<UInt8>) {
        var length = UInt(item.count)
        while length > 0x7F {
            encoded.append(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        encoded.append(UInt8(truncatingIfNeeded: length))
        encoded.append(contentsOf: item)
    }

    /// Calls `body` with each name and each value in turn, name first.
    @inlinable
    public func forEachItem(_ body: (ArraySlice<UInt8>) -> Void) {
        var position = 0
        while let range = Self.item(encoded, &position) {
            body(encoded[range])
            position = range.upperBound
        }
    }

    /// The pairs as arrays, for tests and slow paths.
    public var pairs: [(name: [UInt8], value: [UInt8])] {
        var items: [[UInt8]] = []
        forEachItem { items.append(Array($0)) }
        return stride(from: 0, to: items.count - 1, by: 2).map { (items[$0], items[$0 + 1]) }
    }

    /// The value of the last field with this name; the last, because what was added on the way stands behind.
    public func value(of name: some Collection<UInt8>) -> ArraySlice<UInt8>? {
        var found: ArraySlice<UInt8>?
        var isName = true
        var matches = false
        forEachItem { item in
            if isName { matches = item.elementsEqual(name) } else if matches { found = item }
            isName.toggle()
        }
        return found
    }

    /// The bytes of the item whose length begins here; nil at the end and for what is not an item.
    @usableFromInline
    static func item(_ bytes: [UInt8], _ position: inout Int) -> Range<Int>? {
        var length = 0
        var shift = 0
        while position < bytes.count, shift < 63 {
            let byte = bytes[position]
            position += 1
            length |= Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 {
                return length <= bytes.count - position ? position..<position + length : nil
            }
            shift += 7
        }
        return nil
    }
}
