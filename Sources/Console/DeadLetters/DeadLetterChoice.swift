import Foundation

/// Which dead letters are meant, as the commands are told and as the admin API is asked.
public struct DeadLetterChoice: Sendable {
    /// These; none for all that the rest means.
    public var numbers: [Int64]
    /// Only of this stream.
    public var stream: String?
    /// Only of groups with this name.
    public var group: String?
    /// Only for this reason.
    public var reason: String?
    /// Only those that were given up from this moment on, in milliseconds of the Unix time.
    public var since: Int64?
    /// Only those that were given up until this moment.
    public var until: Int64?

    /// All of them.
    public init(
        numbers: [Int64] = [], stream: String? = nil, group: String? = nil, reason: String? = nil, since: Int64? = nil,
        until: Int64? = nil
    ) {
        self.numbers = numbers
        self.stream = stream
        self.group = group
        self.reason = reason
        self.since = since
        self.until = until
    }

    /// The parameters of a list.
    var parameters: [(name: String, value: String?)] {
        [
            ("stream", stream), ("group", group), ("reason", reason), ("since", since.map(String.init)),
            ("until", until.map(String.init)),
        ]
    }

    /// Whether nothing is left out.
    public var meansAll: Bool { numbers.isEmpty && parameters.allSatisfy { $0.value == nil } }

    /// The body of an order.
    func body(limit: Int, _ more: [String: Any] = [:]) -> String {
        var filter: [String: Any] = [:]
        if !numbers.isEmpty { filter["numbers"] = numbers }
        filter["stream"] = stream
        filter["group"] = group
        filter["reason"] = reason
        filter["since_unix_milliseconds"] = since
        filter["until_unix_milliseconds"] = until
        return LogView.order(filter, limit: limit, more)
    }
}
