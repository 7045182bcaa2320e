import Resilience
import Telemetry

extension Lane {
    /// Outcomes that are none of a step: it was not tried, and there was no further one.
    static let notPossible = "not_possible"
    static let failed = "failed"

    /// What a step came to.
    func countFallback(_ step: FallbackStep, _ outcome: String, _ listener: ListenerProfile) {
        metrics.counter(MetricCatalog.fallback, [listener.name, step.rawValue, outcome]).add(1)
    }

    /// The `error.type` of a publish that nobody has taken, by the last that might have.
    static func errorName(_ step: FallbackStep, _ outcome: FallbackOutcome) -> String {
        switch (step, outcome) {
        case (.spool, .unavailable), (.deadLetter, .unavailable): "\(step.rawValue)_failed"
        default: "\(step.rawValue)_\(outcome.rawValue)"
        }
    }

    /// What spans of a route say when its listener's secondary has answered instead of the upstream.
    func secondaryDescriptor(_ route: RouteID) -> SpanDescriptorID {
        if let known = secondaryDescriptors[route.index] { return known }
        var descriptor = descriptor(route)
        if let broker = listeners[Int(routes.routes[route.index].listener)].fallback.secondary {
            descriptor.broker = broker
        }
        let made = shared.catalog.intern(descriptor)
        secondaryDescriptors[route.index] = made
        return made
    }
}

extension SpanFallback {
    init(_ step: FallbackStep) {
        switch step {
        case .secondary: self = .secondary
        case .spool: self = .spool
        case .deadLetter: self = .deadLetter
        case .fail: self = .fail
        }
    }
}

extension SpanOutcome {
    /// How a publish ends that this step has taken.
    init(_ step: FallbackStep) {
        switch step {
        case .spool: self = .spooled
        case .deadLetter: self = .setAside
        case .secondary, .fail: self = .unremarkable
        }
    }
}
