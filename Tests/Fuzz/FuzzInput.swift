// What the libFuzzer targets have in common: how an input is laid out, and how its bytes reach a decoder.
//
// Input: one byte of choices (bit 0: the other direction, bit 1: small limits, bit 2: overwrite what was consumed), one byte
// that seeds the split points, then the stream.

/// One input, valid while libFuzzer's call lasts.
struct FuzzInput {
    let isOtherDirection: Bool
    let hasSmallLimits: Bool
    /// Whether bytes that were consumed are overwritten, to show that they are not looked at again.
    let ruins: Bool
    let stream: UnsafeBufferPointer<UInt8>
    private let seed: UInt8

    /// Nil when it is too short to hold a stream.
    init?(_ start: UnsafePointer<UInt8>, _ count: Int) {
        guard count > 2 else { return nil }
        let input = UnsafeBufferPointer(start: start, count: count)
        isOtherDirection = input[0] & 1 != 0
        hasSmallLimits = input[0] & 2 != 0
        ruins = input[0] & 4 != 0
        seed = input[1]
        stream = UnsafeBufferPointer(rebasing: input[2...])
    }

    /// Hands over the stream in one piece, or in pieces as the input says; `take` is given all bytes that are held and
    /// where the unread ones begin, and returns false when it has given up.
    func feed(inPieces: Bool, _ take: (_ held: Span<UInt8>, _ position: inout Int) -> Bool) {
        var random = UInt64(seed)
        var held: [UInt8] = []
        var (position, start) = (0, 0)
        while start < stream.count {
            var length = stream.count
            if inPieces {
                random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                length = seed == 0 ? 1 : 1 + Int(random >> 60)
            }
            let end = min(stream.count, start + length)
            let keeps = inPieces && ruins
            if !keeps {
                held.removeAll()
                position = 0
            }
            for index in start..<end { held.append(stream[index]) }
            start = end
            guard take(held.span, &position) else { return }
            for index in held.indices { held[index] = 0xAA }
        }
    }
}
