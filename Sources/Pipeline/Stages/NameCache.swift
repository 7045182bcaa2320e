import Telemetry

/// An event loop's own way from the bytes of a name to its number, in front of the process-wide `NameTable`.
///
/// A hit allocates nothing and takes no lock. Names beyond the table's capacity are not cached, or a flood of distinct
/// names would grow this without bound.
struct NameCache {
    private struct Slot {
        var hash: UInt64
        var name: NameID
        var offset: Int
        var count: Int

        static let vacant = Slot(hash: 0, name: .none, offset: 0, count: -1)
    }

    private let table: NameTable
    private var slots: [Slot]
    private var texts: [UInt8] = []
    private var used = 0

    init(_ table: NameTable) {
        self.table = table
        slots = Array(repeating: .vacant, count: 64)
    }

    /// The number of the name in `bytes[range]`, and its hash, which identifies the name even past the capacity.
    mutating func name(_ bytes: Span<UInt8>, _ range: Range<Int>) -> (name: NameID, hash: UInt64) {
        let hash = ByteHash.hash(bytes, range)
        var index = Int(truncatingIfNeeded: hash) & (slots.count &- 1)
        while slots[index].count >= 0 {
            if slots[index].hash == hash, matches(slots[index], bytes, range) { return (slots[index].name, hash) }
            index = (index &+ 1) & (slots.count &- 1)
        }
        let text = String(decoding: (range).map { bytes[$0] }, as: UTF8.self)
        let name = table.intern(text)
        guard name != .other else { return (name, hash) }
        insert(Slot(hash: hash, name: name, offset: texts.count, count: range.count), at: index)
        for position in range { texts.append(bytes[position]) }
        return (name, hash)
    }

    private func matches(_ slot: Slot, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard slot.count == range.count else { return false }
        var position = 0
        while position &+ 8 <= slot.count {
            let known = texts.span.bytes.unsafeLoadUnaligned(
                fromByteOffset: slot.offset &+ position, as: UInt64.self)
            let name = bytes.bytes.unsafeLoadUnaligned(
                fromByteOffset: range.lowerBound &+ position, as: UInt64.self)
            guard known == name else { return false }
            position &+= 8
        }
        while position < slot.count {
            guard texts[slot.offset &+ position] == bytes[range.lowerBound &+ position] else { return false }
            position &+= 1
        }
        return true
    }

    private mutating func insert(_ slot: Slot, at index: Int) {
        slots[index] = slot
        used += 1
        guard used * 2 > slots.count else { return }
        let old = slots
        slots = Array(repeating: .vacant, count: old.count * 2)
        for slot in old where slot.count >= 0 {
            var index = Int(truncatingIfNeeded: slot.hash) & (slots.count - 1)
            while slots[index].count >= 0 { index = (index + 1) & (slots.count - 1) }
            slots[index] = slot
        }
    }
}

/// A 64-bit hash of short names, eight bytes at a time: each word is multiplied to 128 bits, whose halves are folded
/// together, as wyhash does (Wang Yi, 2019). Within one process only: nothing that is stored depends on it.
enum ByteHash {
    static func hash(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        var hash = 0xa076_1d64_78bd_642f ^ UInt64(truncatingIfNeeded: range.count)
        var position = range.lowerBound
        while position &+ 8 <= range.upperBound {
            hash = folded(hash ^ bytes.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self))
            position &+= 8
        }
        var rest: UInt64 = 0
        while position < range.upperBound {
            rest = rest << 8 | UInt64(bytes[position])
            position &+= 1
        }
        return folded(folded(hash ^ rest) ^ 0xe703_7ed1_a0b4_28db)
    }

    @inline(__always)
    private static func folded(_ value: UInt64) -> UInt64 {
        let (high, low) = value.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return high ^ low
    }
}
