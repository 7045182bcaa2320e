import NIOCore

/// The edits of one buffer, collected while it is scanned and applied afterwards in one pass.
///
/// Everything between the edits is copied as it came. Edits are added in order of their offset and do not overlap. The
/// storage is kept between buffers, so that a busy session allocates only the edited buffer itself.
struct SpliceList {
    private struct Splice {
        var offset: Int
        var removed: Int
        var inserted: Range<Int>
    }

    private var splices: [Splice] = []
    /// The inserted bytes of all splices, end to end.
    private var inserted: [UInt8] = []

    var isEmpty: Bool { splices.isEmpty }

    /// Replaces `removed` bytes at `offset` by what `write` appends.
    mutating func replace(at offset: Int, removing removed: Int, with write: (inout [UInt8]) -> Void) {
        let start = inserted.count
        write(&inserted)
        splices.append(Splice(offset: offset, removed: removed, inserted: start..<inserted.count))
    }

    /// How many edits there are.
    var count: Int { splices.count }

    /// The edited form of a piece of the bytes, to which all edits from number `first` on belong. Changes nothing.
    func edited(_ bytes: Span<UInt8>, _ range: Range<Int>, from first: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count + splices[first...].reduce(0) { $0 + $1.inserted.count })
        var position = range.lowerBound
        for splice in splices[first...] {
            Self.append(bytes.extracting(position..<splice.offset), to: &result)
            result += inserted[splice.inserted]
            position = splice.offset + splice.removed
        }
        Self.append(bytes.extracting(position..<range.upperBound), to: &result)
        return result
    }

    private static func append(_ bytes: Span<UInt8>, to result: inout [UInt8]) {
        bytes.withUnsafeBufferPointer { result.append(contentsOf: $0) }
    }

    /// The edited form of the first `count` readable bytes of `buffer`. Leaves the list empty.
    mutating func apply(to buffer: ByteBuffer, count: Int) -> ByteBuffer {
        let most = count + inserted.count
        var result = ByteBufferAllocator().buffer(capacity: most)
        _ = result.writeWithUnsafeMutableBytes(minimumWritableBytes: most) { target in
            buffer.withUnsafeReadableBytes { source in
                inserted.withUnsafeBytes { added in write(source, added, count, to: target) }
            }
        }
        splices.removeAll(keepingCapacity: true)
        inserted.removeAll(keepingCapacity: true)
        return result
    }

    /// Writes the pieces of `source` and what stands between them; returns how many bytes they are.
    private func write(
        _ source: UnsafeRawBufferPointer, _ added: UnsafeRawBufferPointer, _ count: Int,
        to target: UnsafeMutableRawBufferPointer
    ) -> Int {
        var (position, written) = (0, 0)
        func copy(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
            guard !range.isEmpty else { return }
            // `rebasing` checks the range against the source, the slice of the target against the room.
            UnsafeMutableRawBufferPointer(rebasing: target[written..<written + range.count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
            written += range.count
        }
        for splice in splices {
            copy(source, position..<splice.offset)
            copy(added, splice.inserted)
            position = splice.offset + splice.removed
        }
        copy(source, position..<count)
        return written
    }
}
