import Wire

/// What the reply subject of a JetStream message tells: which message it is, and how often and when it was delivered.
///
/// `$JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>.<consumer sequence>.<time>.<pending>`; the newer form has
/// domain and account hash in front of the stream and a random token at the end (NATS architecture decision record 15).
struct JetStreamAckSubject {
    let stream: Range<Int>
    let consumer: Range<Int>
    let delivered: UInt64
    let streamSequence: UInt64
    let consumerSequence: UInt64
    /// When the message was stored, since 1970.
    let storedUnixNanoseconds: UInt64
    let pending: UInt64

    /// Nil for any other subject.
    init?(_ bytes: Span<UInt8>, _ subject: Range<Int>) {
        guard ASCIIText.hasPrefix(bytes, in: subject, "$JS.ACK.") else { return nil }
        var tokens = InlineArray<12, Range<Int>>(repeating: 0..<0)
        var count = 0
        var start = subject.lowerBound
        for index in subject where bytes[index] == UInt8(ascii: ".") {
            // What follows the twelfth is of no concern.
            guard count < 12 else { break }
            tokens[count] = start..<index
            count += 1
            start = index + 1
        }
        if count < 12 {
            tokens[count] = start..<subject.upperBound
            count += 1
        }
        let first: Int
        switch count {
        case 9: first = 2
        case 11, 12: first = 4
        default: return nil
        }
        guard let delivered = ASCIIText.unsigned(bytes, in: tokens[first + 2]),
            let streamSequence = ASCIIText.unsigned(bytes, in: tokens[first + 3]),
            let consumerSequence = ASCIIText.unsigned(bytes, in: tokens[first + 4]),
            let stored = ASCIIText.unsigned(bytes, in: tokens[first + 5]),
            let pending = ASCIIText.unsigned(bytes, in: tokens[first + 6])
        else { return nil }
        stream = tokens[first]
        consumer = tokens[first + 1]
        self.delivered = delivered
        self.streamSequence = streamSequence
        self.consumerSequence = consumerSequence
        storedUnixNanoseconds = stored
        self.pending = pending
    }
}

/// What a client says of a message that it was given, in the payload that it sends to the message's reply subject.
enum JetStreamAcknowledgement: Equatable {
    case done
    /// To be delivered again, not before so many nanoseconds have passed.
    case rejected(delayNanoseconds: UInt64)
    case inProgress
    case terminated
    /// Done, and the next ones please: so many.
    case next(Int)

    /// An empty payload, and one that is none of these words, counts as done, as it does for the server.
    init(_ bytes: Span<UInt8>, _ payload: Range<Int>) {
        if ASCIIText.hasPrefix(bytes, in: payload, "-NAK") {
            self = .rejected(delayNanoseconds: Self.delay(bytes, payload.lowerBound + 4..<payload.upperBound))
        } else if ASCIIText.hasPrefix(bytes, in: payload, "+WPI") {
            self = .inProgress
        } else if ASCIIText.hasPrefix(bytes, in: payload, "+TERM") {
            self = .terminated
        } else if ASCIIText.hasPrefix(bytes, in: payload, "+NXT") {
            let rest = payload.lowerBound + 4..<payload.upperBound
            self = .next(JetStreamPull(bytes, rest).batch)
        } else {
            self = .done
        }
    }

    /// Nothing, `{"delay": nanoseconds}`, or a number with its unit, `500ms`; what cannot be read is no delay.
    private static func delay(_ bytes: Span<UInt8>, _ text: Range<Int>) -> UInt64 {
        var text = text
        while let first = text.first, bytes[first] == UInt8(ascii: " ") { text = first + 1..<text.upperBound }
        if var members = JSONMembers(bytes, in: text) {
            while let member = members.next(bytes) {
                if JSONMembers.isKey(member, bytes, "delay") { return ASCIIText.unsigned(bytes, in: member.value) ?? 0 }
            }
            return 0
        }
        let end = text.first { !(0x30...0x39).contains(bytes[$0]) } ?? text.upperBound
        guard let number = ASCIIText.unsigned(bytes, in: text.lowerBound..<end) else { return 0 }
        let unit = end..<text.upperBound
        let factors: [(unit: StaticString, factor: UInt64)] = [
            ("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
            ("h", 3_600_000_000_000),
        ]
        guard let factor = factors.first(where: { ASCIIText.isSame(bytes, in: unit, $0.unit) })?.factor else {
            return 0
        }
        return number.multipliedReportingOverflow(by: factor).overflow ? .max : number * factor
    }
}

/// A request for messages: how many, and until when.
struct JetStreamPull: Equatable {
    var batch = 1
    /// 0 when the server keeps the request until it is fulfilled.
    private(set) var expiresNanoseconds: UInt64 = 0

    /// One message, whenever it comes.
    init() {}

    /// Nothing, a number, or an object; more messages than anybody asks for count as `batchMax`.
    init(_ bytes: Span<UInt8>, _ payload: Range<Int>) {
        var text = payload
        while let first = text.first, bytes[first] == UInt8(ascii: " ") { text = first + 1..<text.upperBound }
        if let number = ASCIIText.unsigned(bytes, in: text) {
            batch = Self.bounded(number)
            return
        }
        guard var members = JSONMembers(bytes, in: text) else { return }
        while let member = members.next(bytes) {
            if JSONMembers.isKey(member, bytes, "batch") {
                batch = ASCIIText.unsigned(bytes, in: member.value).map(Self.bounded) ?? batch
            } else if JSONMembers.isKey(member, bytes, "expires") {
                expiresNanoseconds = ASCIIText.unsigned(bytes, in: member.value) ?? 0
            }
        }
    }

    private static let batchMax = 1_000_000

    private static func bounded(_ number: UInt64) -> Int { max(1, Int(min(number, UInt64(batchMax)))) }
}
