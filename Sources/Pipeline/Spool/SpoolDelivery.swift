import NIOCore
import Resilience
import Telemetry

/// Brings spooled messages to one broker, one at a time, and once: the protocol's part of a `SpoolForwarder`.
///
/// Every call returns what is to be written and how far things are. A `deadline` is when the answer to what is asked in
/// that call will be overdue, on the monotonic clock.
protocol SpoolDelivery {
    /// Messages that are taken from the disk at a time. After a crash so many are in doubt.
    var batchMessages: Int { get }
    /// A connection signs in before anything is asked: whether it may is found out at the start, when nothing waits yet.
    var signsInFirst: Bool { get }
    /// When the broker's answer is overdue; nil while nothing is asked.
    var deadline: UInt64? { get }
    /// A message may have been delivered without word of it, and the broker has not been asked yet.
    var isInDoubt: Bool { get }

    /// A connection has begun.
    mutating func opened(until deadline: UInt64) -> SpoolProgress
    /// It has ended, or is of no use any longer.
    mutating func closed()
    /// The messages that come next were taken from the disk just now.
    mutating func loaded()
    /// Goes about a message. It may be the same again, after a failure or once a note of it is on disk.
    mutating func deliver(_ message: SpooledMessage, _ key: SpoolKey, until deadline: UInt64) -> SpoolProgress
    /// The broker says something, mostly of the message that `deliver` was called with last.
    mutating func received(_ bytes: ByteBuffer, until deadline: UInt64) -> SpoolProgress
}

/// How far the delivery of a message is.
struct SpoolProgress {
    enum Next {
        /// The broker has to say more, or has said nothing of interest.
        case waits
        /// The connection can be used.
        case isReady
        /// `SpooledMessage.note` has to be on disk before the message is delivered.
        case note(StreamEntryID)
        case delivered(SpoolArrival)
        /// The broker will never take the message.
        case refused(String)
        /// The broker has answered, and does not take the message now.
        case failed(FailureClass, String)
        /// The connection is of no use any longer.
        case broken(FailureClass, String)
    }

    /// To be written.
    var bytes: [UInt8] = []
    /// The connection is encrypted from here on, `bytes` included.
    var startsTLS = false
    /// What guards are to hear of the call under way.
    var result: CallResult?
    var next: Next

    init(_ next: Next, result: CallResult? = nil) {
        self.next = next
        self.result = result
    }

    /// Something is asked.
    static func asking(_ bytes: [UInt8], result: CallResult? = nil) -> SpoolProgress {
        var progress = SpoolProgress(.waits, result: result)
        progress.bytes = bytes
        return progress
    }
}

/// A spooled message is where it was to go.
struct SpoolArrival {
    var outcome: SpoolForwarding
    /// How the broker calls it.
    var messageID: MessageID
    /// How the client was told that it is called.
    var promised: String
}
