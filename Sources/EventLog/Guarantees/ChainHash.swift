/// The chain of hashes in a stream: `hash = SHA-256(hash of the predecessor, digest of the event)`.
///
/// The digest is kept apart from the link so that an event can be deleted and the chain stays whole: its digest takes
/// its place. The first link is made from the stream's name and the moment of its creation, so that the events of
/// one stream cannot pass for those of another.
enum ChainHash {
    static let byteCount = 32

    /// Where the chain of a stream begins.
    static func beginning(name: [UInt8], createdMilliseconds: Int64) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: Array("tachograph stream 1".utf8))
        update(&hash, UInt64(bitPattern: createdMilliseconds))
        hash.update(data: name)
        return hash.finalize()
    }

    /// What an event says: its place, its time and its fields, as they were before compression.
    static func digest(offset: Int64, id: StreamID, appendedMilliseconds: Int64, fields: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        update(&hash, UInt64(bitPattern: offset))
        update(&hash, id.milliseconds)
        update(&hash, id.sequence)
        update(&hash, UInt64(bitPattern: appendedMilliseconds))
        fields.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hash.finalize()
    }

    /// The hash of an event.
    static func link(previous: [UInt8], digest: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        previous.withUnsafeBytes { hash.update(bufferPointer: $0) }
        digest.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hash.finalize()
    }

    private static func update(_ hash: inout SHA256, _ number: UInt64) {
        withUnsafeBytes(of: number.bigEndian) { hash.update(bufferPointer: $0) }
    }
}
