import Wire

/// One connection to a Redis that sometimes answers with errors: what is passed on of each request, and what is answered
/// in its place. Replies stay in the order of their requests, so an error is only given while none is awaited.
struct FaultLine {
    /// What to do with the bytes of a client.
    enum Action: Equatable {
        case forward([UInt8])
        case answer([UInt8])
    }

    private var requests = RESPDecoder(role: .requests)
    private var replies = RESPDecoder(role: .replies)
    private var held: [UInt8] = []
    private var scanned = 0
    private var awaited = 0
    /// The bytes were not understood: they pass as they come.
    private var isOpaque = false

    private static let heldBytesMax = 1 << 20
    static let loading = RESPWriter.error("LOADING Redis is loading the dataset in memory")

    /// Bytes of the client, while the broker is well or not.
    mutating func requested(_ bytes: some Collection<UInt8>, isFailing: Bool) -> [Action] {
        guard !isOpaque else { return [.forward(Array(bytes))] }
        held.append(contentsOf: bytes)
        var actions: [Action] = []
        do throws(RESPError) {
            while scanned < held.count {
                // A second reference, not a copy: the decoder changes while it looks at the bytes.
                let bytes = held
                guard case .token(let token) = try requests.next(in: bytes.span, at: &scanned), token.endsFrame else {
                    continue
                }
                if isFailing, awaited == 0 {
                    actions.append(.answer(Self.loading))
                } else {
                    actions.append(.forward(Array(held[..<scanned])))
                    awaited += 1
                }
                held.removeFirst(scanned)
                scanned = 0
            }
        } catch {
            isOpaque = true
        }
        if isOpaque || held.count > Self.heldBytesMax {
            isOpaque = true
            actions.append(.forward(held))
            held = []
        }
        return actions
    }

    /// Bytes of the broker, which all go on to the client.
    mutating func answered(_ bytes: [UInt8]) {
        guard !isOpaque else { return }
        var position = 0
        do throws(RESPError) {
            while position < bytes.count {
                guard case .token(let token) = try replies.next(in: bytes.span, at: &position), token.endsFrame else {
                    continue
                }
                awaited = max(0, awaited - 1)
            }
        } catch {
            isOpaque = true
        }
    }
}
