import EventLog
import Gateway
import HTTPTypes
import Wire

/// Subscriptions: opening them, feeding them as far as their credit goes, settling, and ending them.
extension SocketMachine {
    /// A place that a subscription has found; for a group there is none.
    enum Opening: Equatable, Sendable {
        case follow(nextOffset: Int64, lastOffset: Int64)
        case group
    }

    mutating func subscribe(_ wish: SocketSubscribe, request: String) -> [SocketAction] {
        guard index(wish.name) == nil else {
            return refuse(request, .conflict, "subscription: there is one of this name on this socket")
        }
        guard subscriptions.count < limits.subscriptionsMax else {
            return refuse(
                request, .tooManyRequests,
                "a socket has at most \(limits.subscriptionsMax) subscriptions; end one of them")
        }
        let source: SocketSubscription.Source =
            switch wish.source {
            case .follow: .follow(nextOffset: 0)
            case .group(let group, let consumer, let lease, _):
                .group(group, consumer: consumer, leaseMilliseconds: lease)
            }
        let serial = nextSerial()
        subscriptions.append(
            SocketSubscription(
                serial: serial, name: wish.name, filter: wish.filter, source: source, credit: wish.credit,
                opening: begin(request, bytes: 0)))
        return [.open(serial: serial, wish)]
    }

    /// Where a subscription begins, or why it cannot.
    mutating func opened(serial: Int, _ result: Result<Opening, GatewayProblem>) -> [SocketAction] {
        guard let index = subscriptions.firstIndex(where: { $0.serial == serial }) else { return [] }
        let request = subscriptions[index].opening.flatMap { end($0) } ?? ""
        subscriptions[index].opening = nil
        guard state == .open, !subscriptions[index].isEnding else { return remove(index) }
        switch result {
        case .failure(let problem):
            return remove(index) + [.send(.refused(request: request, problem))] + readingActions()
        case .success(let opening):
            var last: Int64?
            if case .follow(let next, let lastOffset) = opening {
                subscriptions[index].source = .follow(nextOffset: next)
                last = lastOffset
            }
            subscriptions[index].mayHaveMore = true
            let answer = SocketAnswer.subscribed(
                request: request, subscription: subscriptions[index].name,
                nextOffset: subscriptions[index].nextOffset, lastOffset: last)
            return [.send(answer)] + readingActions() + pump()
        }
    }

    mutating func unsubscribe(_ name: String, request: String) -> [SocketAction] {
        guard let index = index(name) else { return refuse(request, .notFound, Self.unknownName) }
        subscriptions[index].ending = request
        guard subscriptions[index].isFetching || subscriptions[index].opening != nil else { return remove(index) }
        subscriptions[index].isEnding = true
        return []
    }

    mutating func credit(_ name: String, _ events: Int, request: String) -> [SocketAction] {
        guard let index = index(name) else { return refuse(request, .notFound, Self.unknownName) }
        guard subscriptions[index].credit + events <= SocketCommand.creditMax else {
            return refuse(request, .badRequest, "events: credit adds up to at most \(SocketCommand.creditMax)")
        }
        subscriptions[index].credit += events
        subscriptions[index].mayHaveMore = true
        return pump()
    }

    mutating func settle(_ name: String, _ settlement: SocketSettlement, request: String) -> [SocketAction] {
        guard let index = index(name) else { return refuse(request, .notFound, Self.unknownName) }
        guard case .group(let group, let consumer, _) = subscriptions[index].source else {
            return refuse(request, .badRequest, "this subscription has no group, so there is nothing to settle")
        }
        let held = subscriptions[index].inHand.count
        if case .extend = settlement {} else { subscriptions[index].inHand.subtract(settlement.ids) }
        // Room in the client's hands is room for more, where that was what held it up.
        if held >= limits.inHandMax { subscriptions[index].mayHaveMore = true }
        return [.settle(token: begin(request, bytes: 0), group: group, consumer: consumer, settlement)] + pump()
    }

    private func refuse(_ request: String, _ status: HTTPResponse.Status, _ detail: String) -> [SocketAction] {
        [.send(.refused(request: request, GatewayProblem(status: status, detail: detail)))]
    }

    private static let unknownName = "subscription: there is none of this name on this socket"

    private func index(_ name: String) -> Int? {
        subscriptions.firstIndex { $0.name == name && !$0.isEnding }
    }

    // MARK: Feeding

    /// The stream has changed.
    mutating func changed() -> [SocketAction] {
        guard state == .open else { return [] }
        for index in subscriptions.indices { subscriptions[index].noteChange() }
        return pump()
    }

    /// The moment of a `wake` has come.
    mutating func woke(serial: Int) -> [SocketAction] {
        guard state == .open, let index = subscriptions.firstIndex(where: { $0.serial == serial }) else { return [] }
        subscriptions[index].noteChange()
        return pump()
    }

    /// Looks into the log for every subscription that may get something.
    mutating func pump() -> [SocketAction] {
        guard state == .open, isWritable else { return [] }
        var actions: [SocketAction] = []
        for index in subscriptions.indices {
            guard let fetch = subscriptions[index].nextFetch(limits) else { continue }
            subscriptions[index].isFetching = true
            subscriptions[index].mayHaveMore = false
            subscriptions[index].hasChanged = false
            actions.append(.fetch(serial: subscriptions[index].serial, fetch))
        }
        return actions
    }

    /// What a look has found, or why it could not.
    mutating func fetched(
        serial: Int, asked limit: Int, _ result: Result<SocketPage, GatewayProblem>
    ) -> [SocketAction] {
        guard let index = subscriptions.firstIndex(where: { $0.serial == serial }) else { return [] }
        subscriptions[index].isFetching = false
        let page: SocketPage
        switch result {
        case .success(let found): page = found
        case .failure(let problem):
            guard state == .open, !subscriptions[index].isEnding else { return remove(index) }
            let ended = SocketAnswer.ended(subscription: subscriptions[index].name, problem)
            return remove(index) + [.send(ended)]
        }
        if case .leased(let events, _) = page { subscriptions[index].inHand.formUnion(events.map(\.id)) }
        guard state == .open, !subscriptions[index].isEnding else { return remove(index) }
        switch page {
        case .stored(let events): return deliver(events, index, isWhole: events.count >= limit) + pump()
        case .leased(let events, let nextDue):
            return deliver(events, index, isWhole: events.count >= limit, nextDue) + pump()
        }
    }

    private mutating func deliver(_ events: [StoredEvent], _ index: Int, isWhole: Bool) -> [SocketAction] {
        var actions: [SocketAction] = []
        var isLeft = false
        for event in events {
            let isWanted = subscriptions[index].wants(event.fields, event.id, stream)
            guard !isWanted || subscriptions[index].credit > 0 else {
                // Looked at once more when there is credit.
                isLeft = true
                break
            }
            subscriptions[index].source = .follow(nextOffset: event.offset + 1)
            guard isWanted else { continue }
            subscriptions[index].spend(event.fields.encoded.count)
            actions.append(.deliver(SocketDelivery(subscription: subscriptions[index].name, event: .stored(event))))
        }
        subscriptions[index].mayHaveMore = isLeft || isWhole || subscriptions[index].hasChanged
        return actions
    }

    private mutating func deliver(
        _ events: [LeasedEvent], _ index: Int, isWhole: Bool, _ nextDue: Int64?
    ) -> [SocketAction] {
        guard case .group(let group, let consumer, _) = subscriptions[index].source else { return [] }
        var actions: [SocketAction] = []
        var unwanted: [StreamID] = []
        for event in events {
            guard subscriptions[index].wants(event.fields, event.id, stream) else {
                unwanted.append(event.id)
                continue
            }
            subscriptions[index].spend(event.fields.encoded.count)
            actions.append(
                .deliver(
                    SocketDelivery(
                        subscription: subscriptions[index].name,
                        event: .leased(event, group: group, consumer: consumer))))
        }
        if !unwanted.isEmpty {
            // What the filter leaves out is done with, for the whole group.
            subscriptions[index].inHand.subtract(unwanted)
            actions.append(.settle(token: nil, group: group, consumer: consumer, .acknowledge(unwanted)))
        }
        subscriptions[index].mayHaveMore = isWhole || subscriptions[index].hasChanged
        if !subscriptions[index].mayHaveMore, let nextDue {
            actions.append(.wake(serial: subscriptions[index].serial, unixMilliseconds: nextDue))
        }
        return actions
    }

    // MARK: Ending

    /// Takes a subscription away; what is in the client's hands goes back to the group before anybody is told.
    private mutating func remove(_ index: Int) -> [SocketAction] {
        let subscription = subscriptions.remove(at: index)
        _ = subscription.opening.flatMap { end($0) }
        let answer = subscription.ending.map {
            SocketAction.send(.unsubscribed(request: $0, subscription: subscription.name))
        }
        return subscription.release + [.forget(serial: subscription.serial)] + (answer.map { [$0] } ?? [])
    }

    /// Gives back what the client holds, as it cannot settle it any more. Looks that are under way give back theirs when
    /// they are done.
    mutating func releaseAll() -> [SocketAction] {
        var actions: [SocketAction] = []
        for index in subscriptions.indices.reversed() {
            if subscriptions[index].isFetching || subscriptions[index].opening != nil {
                subscriptions[index].isEnding = true
                actions += subscriptions[index].release
                subscriptions[index].inHand = []
            } else {
                actions += remove(index)
            }
        }
        return actions
    }
}
