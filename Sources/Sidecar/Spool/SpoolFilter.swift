import Gateway
import Pipeline
import Telemetry

/// Which messages of a stream an operator means.
struct SpoolFilter {
    private let ids: Set<StreamEntryID>
    private let reason: String?
    private let since: ClosedRange<UInt64>?
    /// No message below this id is meant, and none above `highest`.
    let lowest: StreamEntryID
    let highest: StreamEntryID

    /// Throws for what is no id.
    init(_ choice: SpoolChoice) throws(SpoolProblem) {
        ids = Set(
            try choice.ids.map { text throws(SpoolProblem) in
                guard let id = StreamEntryID(Array(text.utf8)) else { throw SpoolProblem.badID }
                return id
            })
        reason = choice.reason
        since = choice.since
        let (first, last) = (choice.since?.lowerBound ?? 0, choice.since?.upperBound ?? .max)
        lowest = max(ids.min() ?? .lowest, StreamEntryID(milliseconds: first, sequence: 0))
        highest = min(ids.max() ?? .highest, StreamEntryID(milliseconds: last, sequence: .max))
    }

    func takes(_ record: SpoolRecord) -> Bool {
        (ids.isEmpty || ids.contains(record.message.id)) && (reason == nil || record.reason == reason)
            && since?.contains(record.message.id.milliseconds) ?? true
    }
}

extension SpoolChoice {
    /// Whether messages of this key are meant at all.
    func takes(_ key: SpoolKey) -> Bool {
        (listener == nil || key.listener == listener) && (database == nil || key.database == database)
            && (stream == nil || key.streamText == stream)
    }
}

extension StreamEntryID {
    static let lowest = StreamEntryID(milliseconds: 0, sequence: 0)
    static let highest = StreamEntryID(milliseconds: .max, sequence: .max)
}

extension SpoolKey {
    /// The name of the stream, as far as it is a text.
    var streamText: String { String(decoding: stream, as: UTF8.self) }
}

/// A message's place among those of all streams, as a word that the admin API gives out and takes back.
struct SpoolPlace: Equatable {
    var key: SpoolKey
    var id: StreamEntryID

    init(key: SpoolKey, id: StreamEntryID) {
        self.key = key
        self.id = id
    }

    /// Nil for what `text` never was.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, let listener = Self.bytes(parts[0]), let database = Int(parts[1]),
            let stream = Self.bytes(parts[2]), let id = StreamEntryID(Array(parts[3].utf8))
        else { return nil }
        key = SpoolKey(listener: String(decoding: listener, as: UTF8.self), database: database, stream: stream)
        self.id = id
    }

    var text: String {
        "\(Self.hex(Array(key.listener.utf8))).\(key.database).\(Self.hex(key.stream)).\(id)"
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(_ hex: Substring) -> [UInt8]? {
        let digits = hex.compactMap(\.hexDigitValue)
        guard digits.count == hex.count, digits.count % 2 == 0 else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
