/// Follows the frames of a write-ahead log of SQLite, and tells which of them are committed.
///
/// The format is that of https://sqlite.org/fileformat2.html#the_write_ahead_log. A log begins with a header that
/// carries two salts; a frame is one page, with the number of pages after it where it ends a transaction. Its checksum
/// runs on from the frame before, so that frames of an earlier use of the file, and of transactions that were rolled
/// back, cannot pass for what comes next.
struct WriteAheadLog: Sendable {
    static let headerBytes = 32
    private static let frameHeaderBytes = 24

    /// The header as it stands in the file: differs from that of every other use of the file.
    let header: [UInt8]
    /// Bytes of one frame.
    let frameBytes: Int
    /// Whether the words that are summed are big-endian.
    private let isBigEndian: Bool
    /// Behind the last frame that was taken.
    private(set) var place: Place
    /// Behind the last frame that ended a transaction.
    private(set) var committed: Place

    /// Between two frames.
    struct Place: Equatable, Sendable {
        /// Bytes before it.
        var offset: Int
        fileprivate var sum: Checksum
    }

    /// Nil for what is no header, or half of one.
    init?(header: [UInt8]) {
        guard header.count == Self.headerBytes else { return nil }
        let words = header.withUnsafeBytes { bytes in (0..<8).map { Self.word(bytes, $0, isBigEndian: true) } }
        let pageSize = Int(words[2])
        guard words[0] & ~1 == 0x377f_0682, words[1] == 3_007_000, (512...65_536).contains(pageSize),
            pageSize & (pageSize - 1) == 0
        else { return nil }
        isBigEndian = words[0] & 1 == 1
        var sum = Checksum()
        header.withUnsafeBytes { sum.add(UnsafeRawBufferPointer(rebasing: $0[..<24]), isBigEndian: words[0] & 1 == 1) }
        guard sum == Checksum(first: words[6], second: words[7]) else { return nil }
        self.header = header
        frameBytes = pageSize + Self.frameHeaderBytes
        place = Place(offset: Self.headerBytes, sum: sum)
        committed = place
    }

    /// Takes bytes that stand behind `place`, and returns how many of them are whole frames of this log.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        var taken = 0
        while bytes.count - taken >= frameBytes {
            let frame = UnsafeRawBufferPointer(rebasing: bytes[taken..<taken + frameBytes])
            guard frame[8..<16].elementsEqual(header[16..<24]) else { break }
            var sum = place.sum
            sum.add(UnsafeRawBufferPointer(rebasing: frame[..<8]), isBigEndian: isBigEndian)
            sum.add(UnsafeRawBufferPointer(rebasing: frame[Self.frameHeaderBytes...]), isBigEndian: isBigEndian)
            let written = Checksum(
                first: Self.word(frame, 4, isBigEndian: true), second: Self.word(frame, 5, isBigEndian: true))
            guard sum == written else { break }
            taken += frameBytes
            place = Place(offset: place.offset + frameBytes, sum: sum)
            if Self.word(frame, 1, isBigEndian: true) != 0 { committed = place }
        }
        return taken
    }

    /// Goes back behind the last transaction: what follows it may be written over.
    mutating func rewind() { place = committed }

    /// Frames of whole transactions.
    var committedFrames: Int { (committed.offset - Self.headerBytes) / frameBytes }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ index: Int, isBigEndian: Bool) -> UInt32 {
        let word = bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
        return isBigEndian ? UInt32(bigEndian: word) : UInt32(littleEndian: word)
    }

    /// The checksum of the format: two sums, each of which takes the other in.
    fileprivate struct Checksum: Equatable, Sendable {
        var first: UInt32 = 0
        var second: UInt32 = 0

        /// Adds a multiple of eight bytes.
        mutating func add(_ bytes: UnsafeRawBufferPointer, isBigEndian: Bool) {
            for index in stride(from: 0, to: bytes.count / 4, by: 2) {
                first &+= word(bytes, index, isBigEndian: isBigEndian) &+ second
                second &+= word(bytes, index + 1, isBigEndian: isBigEndian) &+ first
            }
        }
    }
}
