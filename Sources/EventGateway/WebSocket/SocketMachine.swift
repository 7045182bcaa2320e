import EventLog
import Gateway
import Wire

/// What one socket does, apart from all input and output: subscriptions and their credit, what is in the client's hands,
/// requests under way, heartbeats, and when it has to go.
///
/// Each input is one method that returns what is to be done. Nothing is fetched without credit, nor while the client does
/// not read; nothing is read from the client while its requests wait for the disk. So what a socket holds is bounded by
/// the limits, whatever the client does. `now` is a monotonic time in milliseconds.
struct SocketMachine {
    let limits: SocketLimits
    /// The stream that the socket is for.
    let stream: [UInt8]
    private(set) var state = State.open
    var subscriptions: [SocketSubscription] = []
    private var lastSerial = 0
    private var lastToken = 0
    /// Requests whose answers are still to come.
    private var requests: [Int: (id: String, bytes: Int)] = [:]
    private var requestBytes = 0
    /// Since when the client does not read; nil while it does.
    private var unwritableSince: Int64?
    private var isReading = true
    private var lastHeard: Int64
    private var lastPing: Int64

    enum State {
        case open
        /// The closing frame is on its way.
        case closing
        /// The connection is gone.
        case lost
    }

    init(stream: [UInt8], limits: SocketLimits = SocketLimits(), now: Int64) {
        self.stream = stream
        self.limits = limits
        lastHeard = now
        lastPing = now
    }

    // MARK: From the client

    /// A text message.
    mutating func received(_ message: [UInt8], now: Int64) -> [SocketAction] {
        guard state == .open else { return [] }
        lastHeard = now
        let event: CloudEvent
        do throws(CloudEventError) {
            event = try CloudEventJSON.event(message)
        } catch {
            return close(.malformed, "\(error)")
        }
        let command: SocketCommand
        do throws(GatewayProblem) {
            command = try SocketCommand(event)
        } catch {
            return [.send(.refused(request: event.id, error))]
        }
        var actions: [SocketAction] = []
        switch command {
        case .publish(let event):
            actions.append(.publish(token: begin(event.id, bytes: message.count), event))
        case .subscribe(let wish): actions += subscribe(wish, request: event.id)
        case .unsubscribe(let name): actions += unsubscribe(name, request: event.id)
        case .credit(let name, let events): actions += credit(name, events, request: event.id)
        case .settle(let name, let settlement): actions += settle(name, settlement, request: event.id)
        }
        return actions + readingActions()
    }

    /// A ping or a pong: it is alive.
    mutating func heard(now: Int64) { lastHeard = now }

    /// What it sent is no message that can be taken.
    mutating func violated(_ reason: SocketCloseReason, _ text: String) -> [SocketAction] {
        state == .open ? close(reason, text) : []
    }

    /// The client has said goodbye.
    mutating func peerClosed() -> [SocketAction] {
        state == .open ? close(.byClient, "") : []
    }

    /// The connection is gone. What was in the client's hands goes to others at once.
    mutating func lost() -> [SocketAction] {
        state = .lost
        return releaseAll()
    }

    // MARK: From the server

    /// The process stops.
    mutating func draining() -> [SocketAction] {
        state == .open ? close(.draining, "the server is stopping") : []
    }

    /// More, or no more, can be written without it piling up.
    mutating func writable(_ isWritable: Bool, now: Int64) -> [SocketAction] {
        if isWritable {
            unwritableSince = nil
        } else if unwritableSince == nil {
            unwritableSince = now
        }
        return state == .open ? readingActions() + pump() : []
    }

    /// About once a second.
    mutating func tick(now: Int64) -> [SocketAction] {
        guard state == .open else { return [] }
        if let unwritableSince, now - unwritableSince >= limits.stallMilliseconds {
            let seconds = limits.stallMilliseconds / 1_000
            return close(.slowConsumer, "slow consumer: nothing was read for \(seconds) s while events waited")
        }
        // A client that is not read from cannot be heard.
        guard isReading else {
            lastHeard = now
            return []
        }
        if now - lastHeard >= 2 * limits.heartbeatMilliseconds {
            return close(.silent, "no answer to pings")
        }
        guard now - max(lastHeard, lastPing) >= limits.heartbeatMilliseconds else { return [] }
        lastPing = now
        return [.ping]
    }

    // MARK: From the log

    /// What came of a publish.
    mutating func published(token: Int, _ result: Result<AppendedEvent, GatewayProblem>) -> [SocketAction] {
        answer(token) { request in
            switch result {
            case .success(let receipt): .published(request: request, receipt)
            case .failure(let problem): .refused(request: request, problem)
            }
        }
    }

    /// What came of a settlement: how many events were in the group's hands.
    mutating func settled(token: Int, _ result: Result<Int, GatewayProblem>) -> [SocketAction] {
        answer(token) { request in
            switch result {
            case .success(let count): .settled(request: request, count: count)
            case .failure(let problem): .refused(request: request, problem)
            }
        }
    }

    // MARK: Requests

    /// Notes a request that will be answered.
    mutating func begin(_ id: String, bytes: Int) -> Int {
        lastToken += 1
        requests[lastToken] = (id, bytes)
        requestBytes += bytes
        return lastToken
    }

    /// Ends a request; nil when it is none.
    mutating func end(_ token: Int) -> String? {
        guard let request = requests.removeValue(forKey: token) else { return nil }
        requestBytes -= request.bytes
        return request.id
    }

    private mutating func answer(_ token: Int, _ make: (String) -> SocketAnswer) -> [SocketAction] {
        guard let id = end(token), state == .open else { return [] }
        return [.send(make(id))] + readingActions()
    }

    mutating func nextSerial() -> Int {
        lastSerial += 1
        return lastSerial
    }

    var isWritable: Bool { unwritableSince == nil }

    /// Reads from the client or does not, where that changes.
    mutating func readingActions() -> [SocketAction] {
        let reads =
            isWritable && requests.count < limits.requestsMax && requestBytes < limits.requestBytesMax
        guard reads != isReading else { return [] }
        isReading = reads
        return [.read(reads)]
    }

    // MARK: The end

    mutating func close(_ reason: SocketCloseReason, _ text: String) -> [SocketAction] {
        state = .closing
        return [.close(reason, text: text)] + releaseAll()
    }
}
