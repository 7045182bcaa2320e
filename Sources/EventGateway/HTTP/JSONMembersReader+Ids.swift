import EventLog
import Gateway
import Wire

extension JSONMembersReader {
    /// Ids of events, `milliseconds-sequence`, at least one.
    func ids(_ name: String, atMost: Int) throws(GatewayProblem) -> [StreamID] {
        let expected = "1 to \(atMost) ids of events (`tachoid`, such as 1795452187905-0)"
        guard case .array(let values)? = self[name], (1...max(atMost, 1)).contains(values.count) else {
            throw mistake(name, expected)
        }
        var ids: [StreamID] = []
        for value in values {
            guard let id = value.text.flatMap({ StreamID(text: $0) }) else { throw mistake(name, expected) }
            ids.append(id)
        }
        return ids
    }
}
