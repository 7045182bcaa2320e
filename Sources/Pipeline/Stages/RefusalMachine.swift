public import NIOCore

/// Answers the questions of a client that gets no upstream, in its own protocol.
public protocol RefusalMachine {
    /// What the client is told after these bytes, and whether that was the last word. Without bytes: what it is told
    /// before it has asked, where the protocol wants that.
    mutating func answer(_ bytes: ByteBuffer) -> (answer: ByteBuffer?, isLast: Bool)
}

/// The same answer to whatever comes first, and no other.
public struct SingleRefusal: RefusalMachine {
    private let answer: ByteBuffer

    /// A refusal in these bytes.
    public init(answer: ByteBuffer) { self.answer = answer }

    /// The answer, and the end.
    public mutating func answer(_ bytes: ByteBuffer) -> (answer: ByteBuffer?, isLast: Bool) { (answer, true) }
}
