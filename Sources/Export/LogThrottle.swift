/// Lets one line of each kind through per interval and counts those held back.
struct LogThrottle {
    private struct Kind {
        var nextNanoseconds: UInt64
        var heldBack = 0
    }

    private let intervalNanoseconds: UInt64
    private var kinds: [String: Kind] = [:]

    init(intervalNanoseconds: UInt64 = 10_000_000_000) {
        self.intervalNanoseconds = intervalNanoseconds
    }

    /// How many lines of this kind were held back before this one; nil when this one is held back too.
    mutating func admit(_ kind: String, now: UInt64) -> Int? {
        if let known = kinds[kind], now < known.nextNanoseconds {
            kinds[kind]?.heldBack += 1
            return nil
        }
        let heldBack = kinds[kind]?.heldBack ?? 0
        kinds[kind] = Kind(nextNanoseconds: now + intervalNanoseconds)
        return heldBack
    }
}
