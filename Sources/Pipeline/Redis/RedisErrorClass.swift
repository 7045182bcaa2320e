import Resilience
import Wire

/// What an error reply of Redis says about the broker, by its first word.
///
/// Codes: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors and the replies of Redis, Valkey and
/// Redis Cluster in trouble. Whatever is not listed blames the client, or tells it to ask elsewhere (MOVED, ASK): the
/// broker works.
enum RedisErrorClass {
    private static let codes: [(StaticString, CallResult)] = [
        // Memory is used up and the policy evicts nothing: writes fail until somebody reads or deletes.
        ("OOM", .failed(.throttled)),
        // A script or a function holds the server.
        ("BUSY", .failed(.throttled)),
        // Slots are on their way to another node.
        ("TRYAGAIN", .failed(.throttled)),
        ("LOADING", .failed(.unavailable)),
        ("CLUSTERDOWN", .failed(.unavailable)),
        ("MASTERDOWN", .failed(.unavailable)),
        // A replica; snapshots fail, or too few replicas answer: writes are refused until that is mended.
        ("READONLY", .writesRefused),
        ("MISCONF", .writesRefused),
        ("NOREPLICAS", .writesRefused),
    ]

    /// An `-ERR` that is about the server all the same.
    private static let tooManyClients: StaticString = "ERR max number of clients"

    static func result(_ bytes: Span<UInt8>, _ text: Range<Int>) -> CallResult {
        var end = text.lowerBound
        while end < text.upperBound, bytes[end] != UInt8(ascii: " ") { end += 1 }
        let code = text.lowerBound..<end
        for (word, result) in codes where RESPText.matches(bytes, in: code, word) { return result }
        let length = tooManyClients.utf8CodeUnitCount
        guard text.count >= length else { return .mistake }
        let opening = text.lowerBound..<(text.lowerBound + length)
        return RESPText.matches(bytes, in: opening, tooManyClients) ? .failed(.throttled) : .mistake
    }
}
