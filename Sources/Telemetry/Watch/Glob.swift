/// A pattern of whole names: `*` stands for any run of characters, `?` for one byte.
public struct Glob: Hashable, Sendable, CustomStringConvertible {
    /// Longer patterns are nobody's wish.
    public static let bytesMax = 256

    private let pattern: [UInt8]

    /// Nil when the pattern is empty or longer than `bytesMax`.
    public init?(_ text: String) {
        guard 1...Self.bytesMax ~= text.utf8.count else { return nil }
        pattern = Array(text.utf8)
    }

    /// As it was written.
    public var description: String { String(decoding: pattern, as: UTF8.self) }

    /// Whether the whole of `name` fits. On a mismatch only the last `*` takes one byte more, so the time is bounded by
    /// the product of the lengths.
    public func matches(_ name: String) -> Bool {
        let name = Array(name.utf8)
        var position = 0
        var index = 0
        var retry: (index: Int, position: Int)?
        while position < name.count {
            if index < pattern.count, pattern[index] == UInt8(ascii: "*") {
                retry = (index, position)
                index += 1
            } else if index < pattern.count, pattern[index] == UInt8(ascii: "?") || pattern[index] == name[position] {
                index += 1
                position += 1
            } else if let last = retry {
                retry = (last.index, last.position + 1)
                index = last.index + 1
                position = last.position + 1
            } else {
                return false
            }
        }
        return pattern[index...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
