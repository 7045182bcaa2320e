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
        for position in 0..<slot.count where texts[slot.offset &+ position] != bytes[range.lowerBound &+ position] {
            return false
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

/// A 64-bit hash of short names: FNV-1a (Fowler, Noll, Vo) with a final mix, since names often differ in the last byte only.
enum ByteHash {
    static func hash(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for position in range { hash = (hash ^ UInt64(bytes[position])) &* 0x0000_0100_0000_01b3 }
        hash ^= hash >> 32
        hash = hash &* 0x9e37_79b9_7f4a_7c15
        return hash ^ hash >> 29
    }
}
