/// Counts up to 15, two in a byte.
struct SmallCounts: Sendable, Hashable {
    /// A count stays here.
    static let most = 15

    private(set) var bytes: [UInt8]

    /// So many zeros.
    init(count: Int) { bytes = Array(repeating: 0, count: (count + 1) / 2) }

    subscript(index: Int) -> Int {
        get { Int(bytes[index / 2] >> shift(index)) & Self.most }
        set {
            let kept = bytes[index / 2] & ~(UInt8(Self.most) << shift(index))
            bytes[index / 2] = kept | UInt8(min(max(newValue, 0), Self.most)) << shift(index)
        }
    }

    private func shift(_ index: Int) -> UInt8 { index.isMultiple(of: 2) ? 0 : 4 }

    mutating func read(from reader: inout StateReader) throws(StateError) {
        for index in bytes.indices { bytes[index] = try reader.read() }
    }
}

/// A number of two to three digits in 16 bits: the upper half of a `Float`, rounded.
struct ShortFloat: Sendable, Hashable {
    private(set) var bits: UInt16 = 0

    /// The nearest to a number that is neither infinite nor none; large ones are the largest.
    init(_ value: Float) {
        let pattern = min(max(value, -Self.greatest), Self.greatest).bitPattern
        bits = UInt16((pattern + 0x8000) >> 16)
    }

    init(bits: UInt16) { self.bits = bits }

    var value: Float { Float(bitPattern: UInt32(bits) << 16) }

    /// Still finite when rounded up.
    private static let greatest = Float(bitPattern: 0x7f7f_0000)
}
