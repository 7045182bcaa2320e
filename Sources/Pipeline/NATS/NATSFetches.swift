import Telemetry

/// The requests for JetStream messages of one connection that are not fulfilled yet, in order.
struct NATSFetches {
    /// One request.
    struct Fetch {
        var receipt: OpenReceipt
        /// Messages that may still come.
        var remaining: Int
        /// Hash of the subject by which the server says that no more will come.
        var reply: UInt64
        /// On the monotonic clock; 0 for never.
        var endsAt: UInt64
    }

    static let countMax = 1_024
    /// The server's word comes first, if it comes.
    private static let graceNanoseconds: UInt64 = 1_000_000_000

    private(set) var open: [Fetch] = []

    var isEmpty: Bool { open.isEmpty }

    /// Adds a request. Returns the oldest if there are too many.
    mutating func add(_ receive: OpenReceive, _ pull: JetStreamPull, reply: UInt64, at now: Instant) -> Fetch? {
        var endsAt: UInt64 = 0
        if pull.expiresNanoseconds > 0 {
            let (sum, overflow) = now.monotonicNanoseconds.addingReportingOverflow(pull.expiresNanoseconds)
            endsAt = overflow || sum > .max - Self.graceNanoseconds ? 0 : sum + Self.graceNanoseconds
        }
        open.append(Fetch(receipt: OpenReceipt(receive), remaining: pull.batch, reply: reply, endsAt: endsAt))
        return open.count > Self.countMax ? open.removeFirst() : nil
    }

    /// The oldest request for messages of this stream and consumer.
    func index(stream: UInt64, consumer: UInt64) -> Int? {
        open.firstIndex { $0.receipt.open.destination.hash == stream && $0.receipt.open.group.hash == consumer }
    }

    /// Notes one message by `deliver`. Returns the request if that was its last.
    mutating func fulfil(_ index: Int, _ deliver: (inout OpenReceipt) -> Void) -> Fetch? {
        deliver(&open[index].receipt)
        open[index].remaining -= 1
        return open[index].remaining > 0 ? nil : open.remove(at: index)
    }

    /// The oldest request that asks for answers at this subject.
    mutating func remove(reply: UInt64) -> Fetch? {
        open.firstIndex { $0.reply == reply }.map { open.remove(at: $0) }
    }

    /// What the server has given up by now.
    mutating func expire(at now: Instant) -> [Fetch] {
        let expired = open.filter { $0.endsAt > 0 && $0.endsAt < now.monotonicNanoseconds }
        if !expired.isEmpty { open.removeAll { $0.endsAt > 0 && $0.endsAt < now.monotonicNanoseconds } }
        return expired
    }

    mutating func removeAll() -> [Fetch] {
        defer { open = [] }
        return open
    }
}
