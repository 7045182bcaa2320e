/// The heap that a value holds beside its own bytes: arrays and dictionaries in it, however deep.
enum HeapBlocks {
    /// Object header and count, as the standard library's buffers have them.
    private static let header = 32

    static func bytes(of value: Any) -> Int {
        var total = 0
        switch value {
        case let array as any HeapBacked: total += array.heapBytes
        default: break
        }
        for child in Mirror(reflecting: value).children { total += bytes(of: child.value) }
        return total
    }

    /// The heap of each member, with its own size, for a person to read.
    static func account(of value: Any) -> String {
        Mirror(reflecting: value).children.map { child in
            func size<T>(_: T) -> Int { MemoryLayout<T>.size }
            return "\(child.label ?? "?"): \(size(child.value)) + \(bytes(of: child.value))"
        }.joined(separator: ", ")
    }

    fileprivate static func buffer(_ count: Int, stride: Int) -> Int { count == 0 ? 0 : header + count * stride }
}

private protocol HeapBacked { var heapBytes: Int { get } }

extension Array: HeapBacked {
    fileprivate var heapBytes: Int { HeapBlocks.buffer(capacity, stride: MemoryLayout<Element>.stride) }
}

extension Dictionary: HeapBacked {
    fileprivate var heapBytes: Int {
        // One slot of key and value for each place, a third more places than the capacity, and a bit for each.
        HeapBlocks.buffer(capacity * 4 / 3, stride: MemoryLayout<Key>.stride + MemoryLayout<Value>.stride + 1)
    }
}
