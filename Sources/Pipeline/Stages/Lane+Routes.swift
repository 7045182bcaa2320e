import Telemetry

/// Finding and preparing routes: the only place where labels and span descriptors are spelled out.
extension Lane {
    func route(
        _ listener: ListenerProfile, _ operation: NameID, _ type: OperationType, _ destination: Destination,
        group: Destination? = nil
    ) -> RouteID {
        let key = Route.Key(
            listener: listener.number, operation: operation, destination: destination.name,
            group: group?.name ?? .none, template: destination.template)
        return routes.find(key) ?? routes.add(makeRoute(key, type, listener), for: key)
    }

    func processRoute(_ delivery: OpenDelivery) -> RouteID {
        let key = Route.Key(
            listener: delivery.listener, operation: processOperation, destination: delivery.destination,
            group: delivery.group, template: delivery.template)
        return routes.find(key) ?? routes.add(makeRoute(key, .process, listeners[Int(delivery.listener)]), for: key)
    }

    /// The duration series of a route for one kind of failure.
    func failureDuration(_ route: RouteID, _ error: NameID) -> Histogram {
        if let known = routes[failure: route, error] { return known }
        let made = durationHistogram(descriptor(route), error: shared.names.text(of: error))
        routes[failure: route, error] = made
        return made
    }

    private func makeRoute(_ key: Route.Key, _ type: OperationType, _ listener: ListenerProfile) -> Route {
        let descriptor = SpanDescriptor(
            service: listener.service, system: listener.system, operation: shared.names.text(of: key.operation),
            operationType: type, destination: shared.destinations.text(of: key.destination),
            template: shared.destinations.text(of: key.template), group: shared.groups.text(of: key.group),
            broker: listener.broker)
        return Route(
            listener: key.listener, descriptor: shared.catalog.intern(descriptor),
            duration: durationHistogram(descriptor, error: ""),
            takesDeadLetters: type == .send && DeadLetterName.matches(descriptor.destination),
            guarding: makeGuard(descriptor, key))
    }

    // MARK: Series that not every route needs

    func countMessages(_ route: RouteID, _ count: Int) {
        if let counter = routes.routes[route.index].messages { return counter.add(UInt64(count)) }
        let of = descriptor(route)
        let family: MetricFamily
        var labels = [of.system, of.operation, label(of)]
        if of.operationType == .send {
            family = MetricCatalog.messagingSentMessages
        } else {
            family = MetricCatalog.messagingConsumedMessages
            labels.append(of.group)
        }
        let counter = metrics.counter(family, labels + ["", of.broker.server, port(of)])
        counter.add(UInt64(count))
        routes.routes[route.index].messages = counter
    }

    func countInjected(_ route: RouteID, _ listener: ListenerProfile) {
        if let counter = routes.routes[route.index].injected { return counter.add(1) }
        let counter = metrics.counter(MetricCatalog.injectedMessages, [listener.name, label(descriptor(route))])
        counter.add(1)
        routes.routes[route.index].injected = counter
    }

    func countRedelivered(_ route: RouteID) {
        if let counter = routes.routes[route.index].redelivered { return counter.add(1) }
        let of = descriptor(route)
        let counter = metrics.counter(MetricCatalog.redeliveries, [of.system, label(of), of.group])
        counter.add(1)
        routes.routes[route.index].redelivered = counter
    }

    func queueHistogram(_ route: RouteID) -> Histogram {
        if let histogram = routes.routes[route.index].queue { return histogram }
        let of = descriptor(route)
        let histogram = metrics.histogram(MetricCatalog.queueTime, [of.system, label(of), of.group])
        routes.routes[route.index].queue = histogram
        return histogram
    }

    func skewHistogram(_ route: RouteID) -> Histogram {
        if let histogram = routes.routes[route.index].skew { return histogram }
        let of = descriptor(route)
        let histogram = metrics.histogram(MetricCatalog.clockSkew, [of.system, label(of), of.group])
        routes.routes[route.index].skew = histogram
        return histogram
    }

    /// Looked up each time: a message that is given up is rare.
    func countDeadLetter(_ route: RouteID, _ reason: DeadLetterReason) {
        let of = descriptor(route)
        metrics.counter(MetricCatalog.deadLetters, [of.system, label(of), of.group, reason.text]).add(1)
    }

    func descriptor(_ route: RouteID) -> SpanDescriptor {
        shared.catalog.descriptor(routes.routes[route.index].descriptor)
    }

    private func durationHistogram(_ descriptor: SpanDescriptor, error: String) -> Histogram {
        let labelled = label(descriptor)
        if descriptor.operationType == .process {
            return metrics.histogram(
                MetricCatalog.messagingProcessDuration,
                [
                    descriptor.system, descriptor.operation, labelled, descriptor.group, error,
                    descriptor.broker.server, port(descriptor),
                ])
        }
        return metrics.histogram(
            MetricCatalog.messagingOperationDuration,
            [
                descriptor.system, descriptor.operation, descriptor.operationType?.rawValue ?? "", labelled,
                descriptor.group, error, descriptor.broker.server, port(descriptor),
            ])
    }

    /// The destination label: the pattern where there is one, so that it stays of low cardinality.
    private func label(_ descriptor: SpanDescriptor) -> String {
        descriptor.template.isEmpty ? descriptor.destination : descriptor.template
    }

    private func port(_ descriptor: SpanDescriptor) -> String {
        descriptor.broker.port == 0 ? "" : String(descriptor.broker.port)
    }
}
