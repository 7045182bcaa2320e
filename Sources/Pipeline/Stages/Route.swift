import Telemetry

/// The number of a `Route` on its lane.
struct RouteID {
    var index: Int
}

/// Everything prepared for one kind of operation on one destination: the number of its span descriptor and the handles
/// of its series. Found once, so that a message costs no label and no string.
///
/// The optional series are made when they are first needed, lest a scrape be full of zeros that mean nothing.
struct Route {
    /// Position in the list of listeners.
    let listener: UInt32
    let descriptor: SpanDescriptorID
    /// `messaging_client_operation_duration_seconds`, or `messaging_process_duration_seconds` for process.
    let duration: Histogram
    /// What is sent there are dead letters, by the destination's name.
    var takesDeadLetters = false
    /// What decides whether calls go on; nil for what is not guarded.
    var guarding: GuardHandle?
    /// Messages sent or consumed.
    var messages: Counter?
    /// `tacho_queue_seconds`.
    var queue: Histogram?
    /// `tacho_clock_skew_seconds`.
    var skew: Histogram?
    /// `tacho_injected_messages_total`.
    var injected: Counter?
    /// `tacho_redeliveries_total`.
    var redelivered: Counter?

    struct Key: Hashable {
        var listener: UInt32
        var operation: NameID
        var destination: NameID
        var group: NameID
        var template: NameID
    }
}

/// The routes of one lane, and the series that only failures need.
struct RouteTable {
    private var numbers: [Route.Key: Int] = [:]
    var routes: ContiguousArray<Route> = []
    private var failures: [FailureKey: Histogram] = [:]

    private struct FailureKey: Hashable {
        var route: Int
        var error: NameID
    }

    /// Consecutive messages mostly take the same route; this saves them the dictionary.
    private var last: (key: Route.Key, number: Int)?

    mutating func find(_ key: Route.Key) -> RouteID? {
        if let last, last.key == key { return RouteID(index: last.number) }
        guard let number = numbers[key] else { return nil }
        last = (key, number)
        return RouteID(index: number)
    }

    mutating func add(_ route: Route, for key: Route.Key) -> RouteID {
        numbers[key] = routes.count
        routes.append(route)
        return RouteID(index: routes.count - 1)
    }

    /// The duration series of a route for one kind of failure; nil until it is set.
    subscript(failure id: RouteID, error: NameID) -> Histogram? {
        get { failures[FailureKey(route: id.index, error: error)] }
        set { failures[FailureKey(route: id.index, error: error)] = newValue }
    }
}
