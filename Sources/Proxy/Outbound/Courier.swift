import NIOCore
import Pipeline

/// One courier, and the sessions of its event loop that wait for what it carries.
final class Courier: OutboundWork {
    /// Where it goes, and for whom.
    struct Key: Hashable {
        var listener: UInt32
        var destination: CourierDestination
    }

    private var connection: OutboundConnection<RedisCourier>?
    private var waiting: [UInt64: (CourierOutcome) -> Void] = [:]
    private var lastNumber: UInt64 = 0

    init(
        _ machine: RedisCourier, worker: Worker, loop: any EventLoop,
        connect: @escaping () -> EventLoopFuture<any Channel>, report: @escaping (OutboundEvent) -> Void
    ) {
        let bound = NIOLoopBound(Waiting(self), eventLoop: loop)
        connection = OutboundConnection(
            machine, worker: worker, loop: loop, connect: connect,
            perform: { deliveries, _ in bound.value.courier?.deliver(deliveries) }, report: report)
    }

    /// Does not keep its owner.
    private final class Waiting {
        weak var courier: Courier?

        init(_ courier: Courier) { self.courier = courier }
    }

    /// Numbers are those of sessions, so several may be alike: it gets one of ours on the way.
    func carry(_ order: CourierOrder, completion: @escaping (CourierOutcome) -> Void) {
        lastNumber += 1
        var order = order
        order.number = lastNumber
        waiting[order.number] = completion
        connection?.input { $0.carry(order, at: $1) }
    }

    private func deliver(_ deliveries: [CourierDelivery]) {
        for delivery in deliveries { waiting.removeValue(forKey: delivery.number)?(delivery.outcome) }
    }

    func stop() {
        connection?.stop()
        waiting = [:]
    }
}

extension Listener {
    /// Gives a command to the courier of this event loop, made when the first comes.
    func carry(
        _ order: CourierOrder, to destination: CourierDestination, _ worker: Worker, _ loop: any EventLoop,
        completion: @escaping (CourierOutcome) -> Void
    ) {
        guard let make = destination == .primary ? settings.makeCourier : settings.secondary?.makeCourier else {
            return completion(.undone(.connection))
        }
        let key = Courier.Key(listener: settings.profile.number, destination: destination)
        let courier = worker.courier(key) {
            let (report, name) = (report, settings.profile.name)
            return Courier(
                make(worker.lane), worker: worker, loop: loop, connect: { self.connect(to: destination, on: loop) },
                report: { report(.outbound(listener: name, $0)) })
        }
        courier.carry(order, completion: completion)
    }

    private func connect(to destination: CourierDestination, on loop: any EventLoop) -> EventLoopFuture<any Channel> {
        switch destination {
        case .primary: connectOutbound(on: loop)
        case .secondary: connectSecondary(on: loop)
        }
    }
}
