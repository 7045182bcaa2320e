/// Why a command was refused, with the words Redis has for it.
public enum StreamError: Error, Sendable, Hashable {
    /// The command needs a stream that is there.
    case noSuchKey
    /// An id not above the last one.
    case idTooLow
    /// 0-0.
    case idZero
    /// Nothing can be appended behind the highest id.
    case idsExhausted
    /// XGROUP on no stream.
    case groupNeedsKey
    /// XGROUP CREATE of one that exists.
    case groupExists
    /// XGROUP and XINFO CONSUMERS without such a group.
    case noGroup(key: [UInt8], group: [UInt8])
    /// The same, or no stream: XPENDING, XCLAIM, XAUTOCLAIM.
    case noKeyOrGroup(key: [UInt8], group: [UInt8])
    /// The same: XREADGROUP.
    case noKeyOrGroupToRead(key: [UInt8], group: [UInt8])
    /// XSETID below the last entry.
    case setIDTooLow
    /// XSETID with fewer entries added than there are.
    case entriesAddedTooLow
    /// XSETID below the MAXDELETEDID given with it.
    case setIDBelowMaxDeleted
    /// The store cannot do it now: disk full, read only, closing. `reason` is for people.
    case unavailable(reason: String)

    /// The store's own reason.
    init(_ error: LogError) { self = .unavailable(reason: error.description) }

    /// What a client is told, prefix included.
    public var message: String {
        switch self {
        case .noSuchKey: "ERR no such key"
        case .idTooLow: "ERR The ID specified in XADD is equal or smaller than the target stream top item"
        case .idZero: "ERR The ID specified in XADD must be greater than 0-0"
        case .idsExhausted: "ERR The stream has exhausted the last possible ID, unable to add more items"
        case .groupNeedsKey:
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
                + "option to create an empty stream automatically."
        case .groupExists: "BUSYGROUP Consumer Group name already exists"
        case .noGroup(let key, let group):
            "NOGROUP No such consumer group '\(Self.text(group))' for key name '\(Self.text(key))'"
        case .noKeyOrGroup(let key, let group):
            "NOGROUP No such key '\(Self.text(key))' or consumer group '\(Self.text(group))'"
        case .noKeyOrGroupToRead(let key, let group):
            "NOGROUP No such key '\(Self.text(key))' or consumer group '\(Self.text(group))' in XREADGROUP with GROUP "
                + "option"
        case .setIDTooLow: "ERR The ID specified in XSETID is smaller than the target stream top item"
        case .entriesAddedTooLow:
            "ERR The entries_added specified in XSETID is smaller than the target stream length"
        case .setIDBelowMaxDeleted: "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
        case .unavailable(let reason): "MISCONF The event log cannot take this command: \(reason)"
        }
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
