import EventLog
import Wire

/// One subscription of a socket.
struct SocketSubscription {
    /// Never used twice on one socket.
    let serial: Int
    let name: String
    let filter: EventFilter?
    var source: Source
    /// Events that may still be delivered.
    var credit: Int
    /// Given to the client and not settled.
    var inHand: Set<StreamID> = []
    /// The request that is answered when it is open.
    var opening: Int?
    var isFetching = false
    /// The stream has changed since the look that is under way began.
    var hasChanged = false
    /// The log may have something for it.
    var mayHaveMore = false
    /// Nobody wants it any more; a look is still under way.
    var isEnding = false
    /// The request that is answered when it has ended.
    var ending: String?
    /// What an event has had on average, to guess how many make a page.
    var eventBytes = 0

    enum Source {
        case follow(nextOffset: Int64)
        case group(String, consumer: String, leaseMilliseconds: Int64?)
    }
}

extension SocketSubscription {
    var nextOffset: Int64? {
        if case .follow(let next) = source { next } else { nil }
    }

    mutating func noteChange() {
        if isFetching { hasChanged = true } else { mayHaveMore = true }
    }

    /// The look that it needs now; nil for none.
    func nextFetch(_ limits: SocketLimits) -> SocketFetch? {
        guard opening == nil, !isFetching, !isEnding, mayHaveMore, credit > 0 else { return nil }
        // The first page is small, as nothing is known of the events.
        let page = eventBytes == 0 ? min(8, limits.pageMax) : min(max(limits.pageBytes / eventBytes, 1), limits.pageMax)
        switch source {
        case .follow(let next):
            // With a filter most of a page may be passed over, and reading costs no lease.
            return .follow(fromOffset: next, limit: filter == nil ? min(page, credit) : page)
        case .group(let group, let consumer, let lease):
            let room = min(page, credit, limits.inHandMax - inHand.count)
            return room > 0 ? .group(group, consumer: consumer, leaseMilliseconds: lease, limit: room) : nil
        }
    }

    func wants(_ fields: EventFields, _ id: StreamID, _ stream: [UInt8]) -> Bool {
        guard let filter else { return true }
        let event = EventRecord(fields: fields, id: id, stream: stream).event
        return filter.matches { event[attribute: $0] }
    }

    mutating func spend(_ bytes: Int) {
        credit -= 1
        eventBytes = eventBytes == 0 ? max(bytes, 1) : max((7 * eventBytes + bytes) / 8, 1)
    }

    var release: [SocketAction] {
        guard case .group(let group, let consumer, _) = source, !inHand.isEmpty else { return [] }
        let back = SocketSettlement.reject(
            inHand.sorted(), delayMilliseconds: 0, error: "the socket was closed", isFinal: false)
        return [.settle(token: nil, group: group, consumer: consumer, back)]
    }
}
