import Wire

/// Puts messages together from frames (RFC 6455 section 5), within limits.
///
/// The frames' own grammar and the size of a single one were checked by their decoder.
struct MessageAssembler {
    /// What is looked at of a frame.
    struct Frame {
        var opcode: UInt8
        var isFinal: Bool
        var hasReservedBits: Bool
        var isMasked: Bool
        /// Unmasked.
        var payload: [UInt8]
    }

    enum Outcome: Equatable {
        /// The message goes on, or there is nothing to do.
        case nothing
        case text([UInt8])
        case ping([UInt8])
        case pong
        /// The peer says goodbye.
        case closed
        case violation(SocketCloseReason, String)
    }

    private let messageBytesMax: Int
    /// What has come of a message in fragments; nil between messages.
    private var fragments: [UInt8]?

    init(messageBytesMax: Int) {
        self.messageBytesMax = messageBytesMax
    }

    mutating func take(_ frame: Frame) -> Outcome {
        guard frame.isMasked else { return .violation(.protocolError, "a client masks its frames") }
        guard !frame.hasReservedBits else { return .violation(.protocolError, "no extension was agreed on") }
        switch frame.opcode {
        case 0x0:
            guard fragments != nil else { return .violation(.protocolError, "a continuation of nothing") }
            return append(frame)
        case 0x1:
            guard fragments == nil else { return .violation(.protocolError, "a message within another") }
            if frame.isFinal { return message(frame.payload) }
            fragments = []
            return append(frame)
        case 0x2: return .violation(.unsupportedData, "cloudevents.json is sent as text")
        case 0x8: return Self.isCloseFrame(frame.payload) ? .closed : .violation(.protocolError, "a malformed close")
        case 0x9: return .ping(frame.payload)
        case 0xA: return .pong
        default: return .violation(.protocolError, "an unknown kind of frame")
        }
    }

    private mutating func append(_ frame: Frame) -> Outcome {
        let held = fragments?.count ?? 0
        guard frame.payload.count <= messageBytesMax - held else {
            fragments = nil
            return tooLarge
        }
        fragments?.append(contentsOf: frame.payload)
        guard frame.isFinal, let whole = fragments else { return .nothing }
        fragments = nil
        return message(whole)
    }

    private func message(_ bytes: [UInt8]) -> Outcome {
        guard bytes.count <= messageBytesMax else { return tooLarge }
        guard JSONText.isUTF8(bytes) else { return .violation(.malformed, "text that is not UTF-8") }
        return .text(bytes)
    }

    private var tooLarge: Outcome {
        .violation(.tooLarge, "a message has at most \(messageBytesMax) bytes")
    }

    /// Nothing, or a code that may be sent and a text (section 7.4).
    private static func isCloseFrame(_ payload: [UInt8]) -> Bool {
        if payload.isEmpty { return true }
        guard payload.count >= 2 else { return false }
        switch UInt16(payload[0]) << 8 | UInt16(payload[1]) {
        case 1000...1003, 1007...1014, 3000...4999: return JSONText.isUTF8(Array(payload[2...]))
        default: return false
        }
    }
}
