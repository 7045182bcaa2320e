import EventLogSupport

@testable import EventLog

/// One embedded session before the reference model: text in, text out. Replies of the store come when `answer` says so.
struct FaceWorld {
    var session = EmbeddedSession(client: EmbeddedClient(id: 7, address: "test", connectedAtUnixMilliseconds: 0))
    var model = StreamModel()
    var now: UInt64 = 5_000
    /// Effects that wait to be answered.
    var waiting: [EmbeddedEffect] = []
    var isClosed = false

    /// Sends bytes and answers everything. Line ends are written as `|`.
    mutating func ask(_ bytes: some Collection<UInt8>) -> String {
        let said = send(bytes)
        return said + answerAll()
    }

    /// Sends an inline command.
    mutating func ask(_ line: String) -> String { ask(Array((line + "\r\n").utf8)) }

    /// Sends bytes and leaves the store silent.
    mutating func send(_ bytes: some Collection<UInt8>) -> String {
        session.receive(bytes, now: now)
        return collect()
    }

    mutating func send(_ line: String) -> String { send(Array((line + "\r\n").utf8)) }

    /// Answers effects until there are none.
    mutating func answerAll() -> String {
        var said = ""
        while !waiting.isEmpty { said += answer() }
        return said
    }

    /// Answers the oldest effect.
    mutating func answer() -> String {
        let effect = waiting.removeFirst()
        switch effect {
        case .submit(let unit, let ticket), .look(let unit, let ticket), .wait(let unit, _, let ticket):
            session.answered(.store(model.apply(unit)), ticket, now: now)
        case .ask(let question, let ticket):
            session.answered(Self.answer(question), ticket, now: now)
        case .close: isClosed = true
        case .subscribe, .unsubscribe, .named: break
        }
        return collect()
    }

    private static func answer(_ question: EmbeddedQuestion) -> EmbeddedAnswer {
        switch question {
        case .publish, .patternCount, .kill, .unblock: .count(3)
        case .channels: .names([[UInt8]("news")])
        case .subscribers(let names, _): .counts(names.map { ($0, 1) })
        case .clients: .clients([])
        case .statistics:
            .statistics(
                EmbeddedStatistics(
                    clients: 1, blockedClients: 0, connections: 1, uptimeSeconds: 1, port: 0, processID: 1))
        }
    }

    mutating func deliver(_ subscription: EmbeddedChannel, _ channel: String, _ payload: String) -> String {
        session.delivered(
            EmbeddedMessage(subscription: subscription, channel: [UInt8](channel), payload: [UInt8](payload)))
        return collect()
    }

    mutating func collect() -> String {
        waiting += session.takeEffects()
        return String(decoding: session.takeOutput(), as: UTF8.self).replacing("\r\n", with: "|")
    }
}

/// A command as RESP.
func command(_ words: String...) -> [UInt8] {
    Array("*\(words.count)\r\n".utf8) + words.flatMap { Array("$\($0.utf8.count)\r\n\($0)\r\n".utf8) }
}
