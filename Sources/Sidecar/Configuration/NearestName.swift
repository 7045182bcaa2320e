/// Finds the name that was probably meant.
enum NearestName {
    /// The candidate with the fewest edits to `name`, when they are at most a third of its letters (at least two);
    /// of equals the first. Names longer than 64 bytes are not typing errors and match nothing.
    static func suggestion(for name: String, among candidates: [String]) -> String? {
        let letters = Array(name.utf8)
        guard 1...64 ~= letters.count else { return nil }
        let allowed = max(2, letters.count / 3)
        return
            candidates
            .map { (name: $0, edits: edits(letters, Array($0.utf8))) }
            .filter { $0.edits <= allowed && $0.edits < letters.count }
            .min { $0.edits < $1.edits }?.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one name into the other
    /// (optimal string alignment).
    static func edits(_ first: [UInt8], _ second: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...second.count)
        for row in first.indices {
            var current = [row + 1]
            for column in second.indices {
                let replaced = last[column] + (first[row] == second[column] ? 0 : 1)
                var best = min(replaced, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            (beforeLast, last) = (last, current)
        }
        return last[second.count]
    }
}
