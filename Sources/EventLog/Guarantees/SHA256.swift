import CNettle

/// SHA-256 (FIPS 180-4) over bytes that come in pieces.
struct SHA256 {
    /// Bytes of a digest.
    static let byteCount = 32

    private var context = sha256_ctx()

    init() { nettle_sha256_init(&context) }

    mutating func update(bufferPointer bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
        nettle_sha256_update(&context, bytes.count, base)
    }

    mutating func update(data: [UInt8]) {
        data.withUnsafeBytes { update(bufferPointer: $0) }
    }

    /// The digest; the value stands at the beginning again.
    mutating func finalize() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { digest, count in
            nettle_sha256_digest(&context, Self.byteCount, digest.baseAddress)
            count = Self.byteCount
        }
    }
}
