import Telemetry

/// Whether the sidecar infers which delivery caused a message that comes without a context.
public enum CausalityMode: String, Sendable, CaseIterable {
    case inferred
    case off
}

/// A message in a client's hands, as far as it can be the cause of what that client publishes.
struct Cause: Sendable {
    /// What a message that it causes continues: the process span, or for a message that nobody settles its creation.
    var context: TraceContext
    var messageID: MessageID
    var correlation: Correlation
    /// The connection that read it, and the how manieth read of that connection it was.
    var connection: UInt32
    var read: UInt32
    /// When it was handed over, on the monotonic clock. It cannot cause what had come from the client by then.
    var handedAt: UInt64

    /// How a message names this one.
    enum Mention {
        case nothing
        /// By its correlation id.
        case correlation
        /// By its id.
        case messageID
    }
}

/// The correlation id of a message.
enum Correlation: Sendable, Equatable {
    case none
    /// The text form of a trace id, as for messages whose correlation id we generated.
    case traceID(TraceID)
    /// The application's own.
    case text(String)

    /// What stands in a message that carries this.
    init(of creation: TraceContext?, conversation: String?) {
        if let conversation {
            self = .text(conversation)
        } else if let creation, InjectionMark.isPresent(in: creation) {
            self = .traceID(creation.traceID)
        } else {
            self = .none
        }
    }
}

/// What is known of the cause of one message.
struct Inference {
    var cause: Cause?
    /// How the cause was found; `.none` without one.
    var causality = SpanCausality.none
    /// Which others come into question: they are linked to.
    var candidates = Candidates.none

    enum Candidates {
        case none
        /// Everything that the client holds.
        case all
        /// What the message mentions by an id.
        case messageID
        /// What the message mentions by a correlation id.
        case correlation
    }

    static let nothing = Inference()

    /// The publisher has said itself which deliveries the message comes from: the only one is its cause.
    static func given(_ causes: [Cause]) -> Inference {
        causes.count == 1 ? Inference(cause: causes[0], causality: .transactionCertain) : .nothing
    }
}

/// Which fields of a message hold the application's own correlation id.
///
/// Names are compared as a whole, without regard to the case of ASCII letters.
public struct CorrelationFields: Sendable, Equatable {
    /// As they were given.
    public let names: [String]
    private let spelled: [[UInt8]]
    /// Bit n is set when a name has n bytes: most fields are told apart by that alone.
    private let lengths: UInt64

    /// Longest name that is compared, in bytes.
    public static let nameBytesMax = 63
    /// The names in common use.
    public static let standard = CorrelationFields(
        ["correlationid", "correlation_id", "correlationId", "x-correlation-id", "x_correlation_id"])

    /// Names beyond the longest never match.
    public init(_ names: [String]) {
        self.names = names
        var spelled: [[UInt8]] = []
        var lengths: UInt64 = 0
        for name in names {
            let bytes = name.utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
            guard !bytes.isEmpty, bytes.count <= Self.nameBytesMax, !spelled.contains(bytes) else { continue }
            spelled.append(bytes)
            lengths |= 1 << UInt64(bytes.count)
        }
        self.spelled = spelled
        self.lengths = lengths
    }

    @inline(__always)
    func contains(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        guard name.count <= Self.nameBytesMax, lengths & (1 << UInt64(name.count)) != 0 else { return false }
        return isSpelled(bytes, name)
    }

    private func isSpelled(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        for candidate in spelled where candidate.count == name.count {
            var position = 0
            while position < candidate.count {
                let byte = bytes[name.lowerBound &+ position]
                let lower = (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
                guard lower == candidate[position] else { break }
                position &+= 1
            }
            if position == candidate.count { return true }
        }
        return false
    }
}
