/// Which messages of the spool are meant, as the commands are told and as the admin API is asked.
public struct SpoolSelection: Sendable {
    /// These; none for all that the rest means.
    public var ids: [String]
    /// Only of this listener.
    public var listener: String?
    /// Only of this database.
    public var database: Int?
    /// Only of this stream.
    public var stream: String?
    /// Only set aside for this reason.
    public var reason: String?
    /// Only those that came into their state from this moment on, in milliseconds of the Unix time.
    public var since: Int64?
    /// Only those that came into their state until this moment.
    public var until: Int64?

    /// All of them.
    public init(
        ids: [String] = [], listener: String? = nil, database: Int? = nil, stream: String? = nil,
        reason: String? = nil, since: Int64? = nil, until: Int64? = nil
    ) {
        self.ids = ids
        self.listener = listener
        self.database = database
        self.stream = stream
        self.reason = reason
        self.since = since
        self.until = until
    }

    /// The parameters of a list of streams.
    var streamParameters: [(name: String, value: String?)] {
        [("listener", listener), ("database", database.map(String.init)), ("stream", stream)]
    }

    /// The parameters of a list of messages, but for the ids.
    var parameters: [(name: String, value: String?)] {
        streamParameters + [
            ("reason", reason), ("since", since.map(String.init)), ("until", until.map(String.init)),
        ]
    }

    /// Whether nothing is left out.
    public var meansAll: Bool { ids.isEmpty && parameters.allSatisfy { $0.value == nil } }

    /// The body of an order.
    func body(limit: Int, _ more: [String: Any] = [:]) -> String {
        var filter: [String: Any] = [:]
        if !ids.isEmpty { filter["ids"] = ids }
        filter["listener"] = listener
        filter["database"] = database
        filter["stream"] = stream
        filter["reason"] = reason
        filter["since_unix_milliseconds"] = since
        filter["until_unix_milliseconds"] = until
        return LogView.order(filter, limit: limit, more)
    }
}
