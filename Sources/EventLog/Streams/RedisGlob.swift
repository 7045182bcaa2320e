/// Matches names by the patterns of KEYS, SCAN and PSUBSCRIBE: `*`, `?`, `[abc]`, `[^a-z]`, and `\` before what is meant
/// literally (https://redis.io/docs/latest/commands/keys/).
public enum RedisGlob {
    /// Whether the whole name fits the pattern. Needs time in proportion to both lengths multiplied, however many
    /// stars there are.
    public static func matches(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
        var at = 0
        var position = 0
        // Where to go on when what follows the last star does not fit: the star takes one byte more.
        var retry: (pattern: Int, name: Int)?
        while true {
            if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
                at += 1
                retry = (at, position)
                continue
            }
            if position == name.count {
                if at == pattern.count { return true }
            } else if at < pattern.count, let next = step(pattern, at, name[position]) {
                at = next
                position += 1
                continue
            }
            guard let last = retry, last.name < name.count else { return false }
            retry = (last.pattern, last.name + 1)
            at = last.pattern
            position = last.name + 1
        }
    }

    /// The place after the element that begins here, if the element fits the byte.
    private static func step(_ pattern: [UInt8], _ start: Int, _ byte: UInt8) -> Int? {
        switch pattern[start] {
        case UInt8(ascii: "?"):
            return start + 1
        case UInt8(ascii: "["):
            return set(pattern, start + 1, byte)
        case UInt8(ascii: "\\") where start + 1 < pattern.count:
            return pattern[start + 1] == byte ? start + 2 : nil
        default:
            return pattern[start] == byte ? start + 1 : nil
        }
    }

    /// A set without its closing bracket ends with the pattern.
    private static func set(_ pattern: [UInt8], _ start: Int, _ byte: UInt8) -> Int? {
        var at = start
        let isNegated = at < pattern.count && pattern[at] == UInt8(ascii: "^")
        if isNegated { at += 1 }
        var fits = false
        while at < pattern.count, pattern[at] != UInt8(ascii: "]") {
            if pattern[at] == UInt8(ascii: "\\"), at + 1 < pattern.count {
                at += 1
                fits = fits || pattern[at] == byte
            } else if at + 2 < pattern.count, pattern[at + 1] == UInt8(ascii: "-") {
                let bounds = (min(pattern[at], pattern[at + 2]), max(pattern[at], pattern[at + 2]))
                fits = fits || (bounds.0...bounds.1).contains(byte)
                at += 2
            } else {
                fits = fits || pattern[at] == byte
            }
            at += 1
        }
        return fits != isNegated ? min(at + 1, pattern.count) : nil
    }
}
