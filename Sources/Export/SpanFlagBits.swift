package import Telemetry

/// The `flags` of spans and links: the trace flags, and whether the other context is of another process.
package enum SpanFlagBits {
    static let remoteIsKnown: UInt32 = 0x100
    static let isRemote: UInt32 = 0x200

    /// A parent always came with a message, and so from outside.
    package static func ofSpan(_ record: borrowing SpanRecord) -> UInt32 {
        UInt32(record.flags.rawValue) | remoteIsKnown | (record.parentSpanID.isValid ? isRemote : 0)
    }

    package static func ofLink(_ link: SpanLink) -> UInt32 {
        UInt32(link.context.flags.rawValue) | remoteIsKnown | isRemote
    }
}
