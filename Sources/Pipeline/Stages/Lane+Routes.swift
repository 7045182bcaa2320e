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
        return routes.route(key) { makeRoute(key, type, listener) }
    }

    func processRoute(_ delivery: OpenDelivery, _ listener: ListenerProfile) -> RouteID {
        let key = Route.Key(
            listener: listener.number, operation: processOperation, destination: delivery.destination,
            group: delivery.group, template: .none)
        return routes.route(key) { makeRoute(key, .process, listener) }
    }

    /// The duration series of a route for one kind of failure.
    func failureDuration(_ route: RouteID, _ error: NameID) -> Histogram {
        routes.failure(route, error) {
            let descriptor = shared.catalog.descriptor(routes.routes[route.index].descriptor)
            return durationHistogram(descriptor, error: shared.names.text(of: error))
        }
    }

    private func makeRoute(_ key: Route.Key, _ type: OperationType, _ listener: ListenerProfile) -> Route {
        let descriptor = SpanDescriptor(
            service: listener.service, system: listener.system, operation: shared.names.text(of: key.operation),
            operationType: type, destination: shared.destinations.text(of: key.destination),
            template: shared.destinations.text(of: key.template), group: shared.groups.text(of: key.group),
            broker: listener.broker)
        let labelled = label(descriptor)
        var sentOrConsumed: Counter?
        var queue: Histogram?
        var injected: Counter?
        var redelivered: Counter?
        switch type {
        case .create, .settle:
            break
        case .send:
            sentOrConsumed = metrics.counter(
                MetricCatalog.messagingSentMessages,
                [descriptor.system, descriptor.operation, labelled, "", descriptor.broker.server, port(descriptor)])
            injected = metrics.counter(MetricCatalog.injectedMessages, [listener.name, labelled])
        case .receive, .process:
            // A pushed message is consumed by its process operation, a pulled one by its receive operation.
            sentOrConsumed = metrics.counter(
                MetricCatalog.messagingConsumedMessages,
                [
                    descriptor.system, descriptor.operation, labelled, descriptor.group, "", descriptor.broker.server,
                    port(descriptor),
                ])
            queue = metrics.histogram(MetricCatalog.queueTime, [descriptor.system, labelled, descriptor.group])
            redelivered = metrics.counter(MetricCatalog.redeliveries, [descriptor.system, labelled, descriptor.group])
        }
        return Route(
            descriptor: shared.catalog.intern(descriptor), duration: durationHistogram(descriptor, error: ""),
            messages: sentOrConsumed, queue: queue, injected: injected, redelivered: redelivered)
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
                descriptor.system, descriptor.operation, descriptor.operationType.rawValue, labelled,
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
