/// Which aggregates are open around the next token, and what each still waits for.
///
/// The innermost one is kept apart from the rest, so a flat frame (every request) never touches the array; that array
/// is allocated once, the first time two aggregates are open, and reused.
struct RESPNesting: Sendable {
    /// What ends an aggregate.
    private enum Ending: UInt8 {
        /// Its last announced element.
        case count
        /// Likewise, but it says something about the value after it and is no value itself.
        case attribute
        /// The `.` type.
        case mark
        /// The `.` type, after whole pairs only.
        case markAfterPairs
        /// An empty `;` part.
        case emptyPart
    }

    private struct Level {
        var ending: Ending
        /// Elements still to come; of a streamed map: 1 while a key waits for its value; else unused.
        var remaining: Int
    }

    private(set) var depth = 0
    private let depthMax: Int
    private var inner = Level(ending: .count, remaining: 0)
    private var outer: [Level] = []
    /// An attribute has ended and the value it speaks of has not begun.
    private var owesValue = false

    /// Tokens carry their depth in one byte, which bounds the limit.
    init(depthMax: Int) {
        self.depthMax = min(max(depthMax, 0), Int(UInt8.max))
    }

    /// Whether only `;` parts may come now.
    var expectsPart: Bool { inner.ending == .emptyPart }

    /// Enters the aggregate of this header, or passes over it when it has no elements.
    /// Returns whether the frame ends with the header.
    mutating func enter(_ kind: RESPToken.Kind, length: Int) throws(RESPError) -> Bool {
        if length == RESPLengthLine.streamed {
            switch kind {
            case .bulkString: try push(.emptyPart, 0)
            case .map: try push(.markAfterPairs, 0)
            default: try push(.mark, 0)
            }
            return false
        }
        guard length > 0 else {
            guard kind != .attribute else {
                owesValue = true
                return false
            }
            return countValue()
        }
        switch kind {
        // The decoder's bound on lengths leaves room for doubling.
        case .attribute: try push(.attribute, length * 2)
        case .map: try push(.count, length * 2)
        default: try push(.count, length)
        }
        return false
    }

    /// Leaves the streamed aggregate that a `.` ends. Returns whether the frame ends with it.
    mutating func leaveAtMark() throws(RESPError) -> Bool {
        switch inner.ending {
        case .mark, .markAfterPairs: break
        case .count, .attribute, .emptyPart: throw .unknownType
        }
        guard inner.remaining == 0, !owesValue else { throw .malformedValue }
        pop()
        return countValue()
    }

    /// Leaves the streamed bulk string that an empty part ends. Returns whether the frame ends with it.
    mutating func leaveAtEmptyPart() -> Bool {
        pop()
        return countValue()
    }

    /// Counts one whole value in the innermost aggregate and leaves every aggregate this fills.
    /// Returns whether the frame ends with it.
    mutating func countValue() -> Bool {
        owesValue = false
        while depth > 0 {
            switch inner.ending {
            case .count:
                inner.remaining -= 1
                if inner.remaining > 0 { return false }
                pop()
            case .attribute:
                inner.remaining -= 1
                if inner.remaining > 0 { return false }
                pop()
                owesValue = true
                return false
            case .mark, .emptyPart:
                return false
            case .markAfterPairs:
                inner.remaining = 1 - inner.remaining
                return false
            }
        }
        return true
    }

    private mutating func push(_ ending: Ending, _ remaining: Int) throws(RESPError) {
        guard depth < depthMax else { throw .tooDeep }
        owesValue = false
        if depth > 0 {
            if outer.isEmpty { outer.reserveCapacity(depthMax - 1) }
            outer.append(inner)
        }
        inner = Level(ending: ending, remaining: remaining)
        depth += 1
    }

    private mutating func pop() {
        depth -= 1
        inner = outer.popLast() ?? Level(ending: .count, remaining: 0)
    }
}
