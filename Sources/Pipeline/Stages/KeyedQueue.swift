/// Values in the order in which they came, each found by its key: what waits for something, where mostly that something
/// comes, and otherwise the oldest has to give way.
///
/// A slab of places chained in order, with an index by key; every operation takes constant time, and a place that is left
/// is used again. The chain lies apart from the values, so that linking moves none of them.
struct KeyedQueue<Key: Hashable, Value> {
    fileprivate struct Link {
        var key: Key
        var older: Int32
        var newer: Int32
    }

    private var index: [Key: Int32] = [:]
    private var links: ContiguousArray<Link> = []
    private var values: ContiguousArray<Value?> = []
    private var vacant: ContiguousArray<Int32> = []
    private var oldestPlace: Int32 = -1
    private var newestPlace: Int32 = -1

    var count: Int { index.count }
    var isEmpty: Bool { index.isEmpty }

    /// Puts a value behind all others. Returns the one that had the same key, which leaves.
    mutating func append(_ value: consuming Value, for key: Key) -> Value? {
        let earlier = remove(key)
        let place: Int32
        let link = Link(key: key, older: newestPlace, newer: -1)
        if let free = vacant.popLast() {
            place = free
            links[Int(free)] = link
            values[Int(free)] = value
        } else {
            place = Int32(links.count)
            links.append(link)
            values.append(value)
        }
        if newestPlace < 0 { oldestPlace = place } else { links[Int(newestPlace)].newer = place }
        newestPlace = place
        index[key] = place
        return earlier
    }

    mutating func remove(_ key: Key) -> Value? {
        guard let place = index.removeValue(forKey: key) else { return nil }
        return take(place)
    }

    mutating func popOldest() -> (key: Key, value: Value)? {
        guard oldestPlace >= 0 else { return nil }
        let key = links[Int(oldestPlace)].key
        index[key] = nil
        return take(oldestPlace).map { (key, $0) }
    }

    /// What `look` says of the value with this key; nil when there is none.
    @inline(__always)
    func look<Result>(at key: Key, _ look: (borrowing Value) -> Result) -> Result? {
        guard let place = index[key] else { return nil }
        return values[Int(place)].map { look($0) }
    }

    /// What `change` returns of the value with this key, which it may alter; nil when there is none.
    mutating func change<Result>(at key: Key, _ change: (inout Value) -> Result) -> Result? {
        guard let place = index[key], values[Int(place)] != nil else { return nil }
        return change(&values[Int(place)]!)
    }

    /// What `look` says of the oldest value.
    @inline(__always)
    func lookAtOldest<Result>(_ look: (borrowing Value) -> Result) -> Result? {
        guard oldestPlace >= 0 else { return nil }
        return values[Int(oldestPlace)].map { look($0) }
    }

    /// Calls `change` for each value, from the oldest on, for as long as it returns true.
    mutating func forEach(_ change: (Key, inout Value) -> Bool) {
        var place = oldestPlace
        while place >= 0 {
            let link = links[Int(place)]
            guard values[Int(place)] != nil, change(link.key, &values[Int(place)]!) else { return }
            place = link.newer
        }
    }

    mutating func removeAll() -> [Value] {
        var all: [Value] = []
        forEach { _, value in
            all.append(value)
            return true
        }
        self = KeyedQueue()
        return all
    }

    private mutating func take(_ place: Int32) -> Value? {
        let link = links[Int(place)]
        if link.older < 0 { oldestPlace = link.newer } else { links[Int(link.older)].newer = link.newer }
        if link.newer < 0 { newestPlace = link.older } else { links[Int(link.newer)].older = link.older }
        vacant.append(place)
        return values[Int(place)].take()
    }
}

extension KeyedQueue: Sendable where Key: Sendable, Value: Sendable {}
extension KeyedQueue.Link: Sendable where Key: Sendable {}
