/// The arguments of a control line, collected as their bytes arrive. What they mean depends on how many there are, so
/// each is kept as a place and, in case it turns out to be a size, as a number.
struct NATSArguments: Sendable {
    private struct Argument {
        var piece = NATSOperation.Piece()
        /// What its digits spell, no more than `numberMax`; negative when it is no number.
        var number = notANumber
    }

    static let countMax = 5
    private static let notANumber = -1
    /// A number beyond it counts as it. It can take one more digit without overflow.
    private static let numberMax = Int.max / 16

    private var list = InlineArray<5, Argument>(repeating: Argument())
    private var count = 0

    /// Begins an argument at `offset`.
    @inline(__always)
    mutating func begin(_ byte: UInt8, at offset: Int) throws(NATSError) {
        guard count < Self.countMax else { throw .malformedLine }
        let digit = byte &- UInt8(ascii: "0")
        list[count] = Argument(
            piece: .init(start: UInt32(truncatingIfNeeded: offset), end: 0),
            number: digit <= 9 ? Int(digit) : Self.notANumber)
        count &+= 1
    }

    /// Whether the argument under way may still turn out to be a number.
    @inline(__always)
    var isNumber: Bool { list[count &- 1].number >= 0 }

    /// Adds a byte to the argument under way.
    @inline(__always)
    mutating func extend(_ byte: UInt8) {
        let index = count &- 1
        let number = list[index].number
        guard number >= 0 else { return }
        let digit = byte &- UInt8(ascii: "0")
        list[index].number = digit <= 9 ? min(number &* 10 &+ Int(digit), Self.numberMax) : Self.notANumber
    }

    /// Ends the argument under way at `offset`.
    @inline(__always)
    mutating func end(at offset: Int) {
        list[count &- 1].piece.end = UInt32(truncatingIfNeeded: offset)
    }

    /// One byte of a text that runs to the end of the line.
    @inline(__always)
    mutating func noteText(from start: Int, to end: Int) {
        if count == 0 {
            list[0].piece.start = UInt32(truncatingIfNeeded: start)
            count = 1
        }
        list[0].piece.end = UInt32(truncatingIfNeeded: end)
    }

    /// Gives the arguments their meaning.
    ///
    /// `PUB subject [reply] size`, `HPUB subject [reply] headers total`, `SUB subject [queue] sid`, `UNSUB sid [max]`,
    /// `MSG subject sid [reply] size`, `HMSG subject sid [reply] headers total`.
    func fill(_ operation: inout NATSOperation, payloadBytesMax: Int) throws(NATSError) {
        switch operation.kind {
        case .pub: try fillMessage(&operation, fixed: 1, sizes: 1, payloadBytesMax)
        case .hpub: try fillMessage(&operation, fixed: 1, sizes: 2, payloadBytesMax)
        case .msg: try fillMessage(&operation, fixed: 2, sizes: 1, payloadBytesMax)
        case .hmsg: try fillMessage(&operation, fixed: 2, sizes: 2, payloadBytesMax)
        case .sub:
            guard count == 2 || count == 3 else { throw .malformedLine }
            operation.subjectPiece = list[0].piece
            if count == 3 { operation.queuePiece = list[1].piece }
            operation.sidPiece = list[count &- 1].piece
        case .unsub:
            guard count == 1 || count == 2 else { throw .malformedLine }
            operation.sidPiece = list[0].piece
            // The server takes what is no number for no limit.
            if count == 2 { operation.messagesMax = max(0, list[1].number) }
        case .info, .connect, .error:
            if count > 0 { operation.textPiece = list[0].piece }
        case .ping, .pong, .ok:
            break
        }
    }

    /// `fixed` arguments (subject, and a sid in front of a reply), then perhaps a reply, then `sizes` numbers.
    @inline(__always)
    private func fillMessage(
        _ operation: inout NATSOperation, fixed: Int, sizes: Int, _ payloadBytesMax: Int
    ) throws(NATSError) {
        guard count == fixed &+ sizes || count == fixed &+ sizes &+ 1 else { throw .malformedLine }
        operation.subjectPiece = list[0].piece
        if fixed == 2 { operation.sidPiece = list[1].piece }
        if count > fixed &+ sizes { operation.replyPiece = list[fixed].piece }
        let total = list[count &- 1]
        let first = list[count &- sizes]
        guard total.number >= 0, first.number >= 0 else { throw .malformedSize }
        guard total.number <= payloadBytesMax else { throw .payloadTooLong }
        operation.payloadLength = total.number
        if sizes == 2 {
            guard first.number <= total.number else { throw .malformedSize }
            operation.headerLength = first.number
        }
        operation.sizesPiece = .init(start: first.piece.start, end: total.piece.end)
    }
}
