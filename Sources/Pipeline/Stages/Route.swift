import Telemetry

/// The number of a `Route` on its lane.
struct RouteID {
    var index: Int
}

/// Everything prepared for one kind of operation on one destination: the number of its span descriptor and the handles
/// of its series. Found once, so that a message costs no label and no string.
struct Route {
    let descriptor: SpanDescriptorID
    /// `messaging_client_operation_duration_seconds`, or `messaging_process_duration_seconds` for process.
    let duration: Histogram
    /// Messages sent or consumed; nil where the operation counts none.
    let messages: Counter?
    /// `tacho_queue_seconds`.
    let queue: Histogram?
    let injected: Counter?
    /// `tacho_redeliveries_total`.
    let redelivered: Counter?

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
    private(set) var routes: ContiguousArray<Route> = []
    private var failures: [FailureKey: Histogram] = [:]

    private struct FailureKey: Hashable {
        var route: Int
        var error: NameID
    }

    /// Consecutive messages mostly take the same route; this saves them the dictionary.
    private var last: (key: Route.Key, number: Int)?

    mutating func route(_ key: Route.Key, otherwise make: () -> Route) -> RouteID {
        if let last, last.key == key { return RouteID(index: last.number) }
        let number: Int
        if let known = numbers[key] {
            number = known
        } else {
            number = routes.count
            routes.append(make())
            numbers[key] = number
        }
        last = (key, number)
        return RouteID(index: number)
    }

    mutating func failure(_ id: RouteID, _ error: NameID, otherwise make: () -> Histogram) -> Histogram {
        let key = FailureKey(route: id.index, error: error)
        if let known = failures[key] { return known }
        let made = make()
        failures[key] = made
        return made
    }
}
