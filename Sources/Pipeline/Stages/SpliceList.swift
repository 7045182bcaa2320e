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

    /// The edited form of the first `count` readable bytes of `buffer`. Leaves the list empty.
    mutating func apply(to buffer: ByteBuffer, count: Int) -> ByteBuffer {
        var result = ByteBufferAllocator().buffer(capacity: count + inserted.count)
        var position = 0
        for splice in splices {
            copy(buffer, position..<splice.offset, to: &result)
            inserted.withUnsafeBytes { bytes in
                _ = result.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[splice.inserted]))
            }
            position = splice.offset + splice.removed
        }
        copy(buffer, position..<count, to: &result)
        splices.removeAll(keepingCapacity: true)
        inserted.removeAll(keepingCapacity: true)
        return result
    }

    private func copy(_ buffer: ByteBuffer, _ range: Range<Int>, to result: inout ByteBuffer) {
        guard !range.isEmpty else { return }
        buffer.withUnsafeReadableBytes { bytes in
            _ = result.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }
}
