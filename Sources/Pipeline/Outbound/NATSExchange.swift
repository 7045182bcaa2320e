import NIOCore
import Telemetry
import Wire

/// One question at a time to a NATS server, on a connection of the sidecar's own: greets it, signs in, asks, and finds
/// the answer among what the server says.
///
/// It subscribes to an inbox of its own; every question has another reply subject in it. A listener that encrypts behind
/// the greeting does so here too, and nothing that came in the clear behind the greeting is believed.
struct NATSExchange {
    /// What bytes of the server come to.
    struct Progress {
        /// To be written.
        var bytes: [UInt8] = []
        /// The connection is encrypted first.
        var startsTLS = false
        var event = Event.none
    }

    enum Event {
        case none
        /// The server has taken us in.
        case isReady
        case answer(NATSReply)
        /// The server does not let the question through, or nobody listens to the answer: its own words.
        case complaint(String)
        /// The connection is of no use.
        case broken(String)
    }

    private enum Phase {
        case greeting
        case introduction
        case ready
    }

    private let credentials: OutboundCredentials?
    private let upstreamTLS: SessionTLS.Beginning
    private let inbox: [UInt8]
    private var phase = Phase.greeting
    private var decoder = NATSDecoder(role: .server)
    private var kept: [UInt8] = []
    private var scanned = 0
    private var questions: UInt64 = 0
    /// When the answer is overdue, on the monotonic clock; nil while nothing is asked.
    private(set) var deadline: UInt64?
    /// Bytes of headers and payload that the server takes.
    private(set) var payloadMax = Int.max

    /// An answer holds at most one message, as text.
    private static let bytesMax = 128 << 20

    /// - Parameter random: any number; it keeps the inbox apart from those of others.
    init(credentials: OutboundCredentials?, upstreamTLS: SessionTLS.Beginning, random: UInt64) {
        self.credentials = credentials
        self.upstreamTLS = upstreamTLS
        inbox = Array("_INBOX.tacho.\(HexadecimalText.text(random))".utf8)
    }

    /// A new connection begins, or none: the server greets first.
    mutating func reset(until deadline: UInt64?) {
        phase = .greeting
        decoder = NATSDecoder(role: .server)
        (kept, scanned) = ([], 0)
        self.deadline = deadline
    }

    /// Where the answer to the next question is to go.
    mutating func nextReply(until deadline: UInt64) -> [UInt8] {
        questions += 1
        self.deadline = deadline
        return reply
    }

    /// A request with a payload.
    mutating func request(_ subject: [UInt8], _ payload: [UInt8], until deadline: UInt64) -> [UInt8] {
        var bytes = Array("PUB ".utf8) + subject + [UInt8(ascii: " ")] + nextReply(until: deadline)
        bytes.append(UInt8(ascii: " "))
        NATSWriter.append(payload.count, to: &bytes)
        NATSWriter.appendLineEnd(to: &bytes)
        bytes += payload
        NATSWriter.appendLineEnd(to: &bytes)
        return bytes
    }

    private var reply: [UInt8] { inbox + Array(".\(questions)".utf8) }

    // MARK: What the server says

    mutating func take(_ bytes: ByteBuffer) -> Progress {
        kept.append(contentsOf: bytes.readableBytesView)
        var progress = Progress()
        do throws(NATSError) {
            while case .none = progress.event {
                var (decoder, position) = (decoder, scanned)
                let step = try decoder.next(in: kept.span, at: &position)
                (self.decoder, scanned) = (decoder, position)
                switch step {
                case .needsMore:
                    if kept.count > Self.bytesMax { progress.event = .broken("the server says more than was asked") }
                    return progress
                case .line(let operation):
                    guard operation.endsWithLine else { continue }
                    noteLine(operation, &progress)
                case .headers: continue
                case .ended(let operation): noteMessage(operation, &progress)
                }
                if progress.startsTLS { return progress }
                kept.removeFirst(scanned)
                scanned = 0
            }
        } catch {
            progress.event = .broken("an answer was not understood (\(error.rawValue))")
        }
        return progress
    }

    private mutating func noteLine(_ operation: NATSOperation, _ progress: inout Progress) {
        switch operation.kind {
        case .ping: progress.bytes += Array("PONG\r\n".utf8)
        case .pong:
            guard phase == .introduction else { return }
            phase = .ready
            deadline = nil
            progress.event = .isReady
        case .info: noteGreeting(operation, &progress)
        case .error: noteError(operation, &progress)
        case .ok, .connect, .pub, .hpub, .sub, .unsub, .msg, .hmsg: break
        }
    }

    private mutating func noteGreeting(_ operation: NATSOperation, _ progress: inout Progress) {
        guard
            let info = NATSServerInfo(kept.span, in: operation.text, options: NATSOptions(), tls: SessionTLS())
        else { return progress.event = .broken("the server's greeting was not understood") }
        if info.payloadMax != .max { payloadMax = info.payloadMax }
        guard phase == .greeting else { return }
        switch upstreamTLS {
        case .afterGreeting:
            guard info.requiresTLS || info.offersTLS else {
                // Going on would send the credentials in the clear.
                return progress.event = .broken("the upstream offers no TLS, and this listener is told to use it")
            }
            progress.startsTLS = true
            // Nothing behind a plain greeting may be believed.
            decoder = NATSDecoder(role: .server)
            (kept, scanned) = ([], 0)
        case .never:
            if info.requiresTLS {
                return progress.event = .broken("the upstream requires TLS, and this listener is not told to use it")
            }
        case .firstByte: break
        }
        phase = .introduction
        progress.bytes += introduction
    }

    /// CONNECT, the subscription to our inbox, and a PING that tells when both were taken.
    private var introduction: [UInt8] {
        var bytes = Array(
            #"CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"protocol":1,"#.utf8)
        bytes += Array(#""lang":"swift","name":"tacho","version":"1""#.utf8)
        if let credentials {
            if credentials.username.isEmpty {
                bytes += Array(#","auth_token":"#.utf8)
            } else {
                bytes += Array(#","user":"#.utf8)
                JSONText.append(credentials.username, to: &bytes)
                bytes += Array(#","pass":"#.utf8)
            }
            JSONText.append(credentials.password, to: &bytes)
        }
        return bytes + Array("}\r\nSUB ".utf8) + inbox + Array(".* 1\r\nPING\r\n".utf8)
    }

    private mutating func noteError(_ operation: NATSOperation, _ progress: inout Progress) {
        let words = String(decoding: kept[operation.text], as: UTF8.self).filter { $0 != "'" }
        let text = String(words.prefix(200))
        guard text.lowercased().hasPrefix("permissions violation") else {
            let advice =
                text.lowercased().hasPrefix("authorization")
                ? "; set credentials.password_file of the listener, with credentials.username or a token" : ""
            return progress.event = .broken("the server says: \(text)\(advice)")
        }
        guard phase == .ready, text.lowercased().contains("for publish") else {
            return progress.event = .broken("the server says: \(text)")
        }
        deadline = nil
        progress.event = .complaint(text)
    }

    private mutating func noteMessage(_ operation: NATSOperation, _ progress: inout Progress) {
        // Answers to questions that were given up may still come.
        guard deadline != nil, phase == .ready, kept[operation.subject].elementsEqual(reply) else { return }
        deadline = nil
        var reply = NATSReply(body: Array(kept[operation.body]))
        if operation.headerLength > 0, let headers = NATSHeaders(kept.span, in: operation.headers) {
            reply.status = headers.status
        }
        progress.event = .answer(reply)
    }
}

/// One answer.
struct NATSReply: Equatable {
    /// The three digits behind `NATS/1.0`, or 0.
    var status = 0
    var body: [UInt8]
}
