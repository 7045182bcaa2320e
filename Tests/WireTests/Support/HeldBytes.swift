/// What the caller of a resumable decoder does with bytes that were consumed.
enum Keeping: CaseIterable {
    /// Lets them go: every chunk is decoded from its first byte.
    case nothing
    /// Keeps the current frame and appends to it.
    case frame
    /// Keeps it but overwrites what was consumed, to show that it is not looked at again.
    case ruins
}

/// The bytes that such a caller holds while chunks arrive.
struct HeldBytes {
    private(set) var bytes: [UInt8] = []
    let keeping: Keeping

    init(_ keeping: Keeping) { self.keeping = keeping }

    /// `position` is where the unread bytes begin.
    mutating func append(_ chunk: ArraySlice<UInt8>, isInsideFrame: Bool, _ position: inout Int) {
        if keeping == .nothing || !isInsideFrame {
            bytes.removeAll()
            position = 0
        }
        bytes.append(contentsOf: chunk)
    }

    /// A frame has ended: the next begins with the unread bytes.
    mutating func endFrame(_ position: inout Int) {
        bytes.removeFirst(position)
        position = 0
    }

    /// All bytes were consumed.
    mutating func endChunk() {
        guard keeping == .ruins else { return }
        for index in bytes.indices { bytes[index] = 0xAA }
    }
}

/// Bytes as the fixtures write them: what is not plain ASCII as `\\xNN`, at most 64 of them.
func printable(_ value: ArraySlice<UInt8>) -> String {
    let shown = value.prefix(64).map { byte in
        let digits = String(byte, radix: 16, uppercase: true)
        let isPlain = (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\\")
        return isPlain ? String(UnicodeScalar(byte)) : "\\x" + (byte < 16 ? "0" : "") + digits
    }
    return shown.joined() + (value.count > 64 ? "..." : "")
}
