import CZstd

/// Large fields, made smaller on disk (zstd, RFC 8878).
enum FieldCompression {
    /// The library's own default: faster than the disk on ordinary text.
    private static let level: Int32 = 3
    /// What is said to be larger is not believed: no command can carry that much.
    private static let bytesMax = 1 << 30

    /// The compressed bytes; nil when they would not be fewer.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        let bound = ZSTD_compressBound(bytes.count)
        var size = 0
        let compressed = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            size = bytes.withUnsafeBytes { source in
                ZSTD_compress(buffer.baseAddress, buffer.count, source.baseAddress, source.count, level)
            }
            count = ZSTD_isError(size) == 0 ? size : 0
        }
        return ZSTD_isError(size) == 0 && compressed.count < bytes.count ? compressed : nil
    }

    /// The original bytes; nil when these are not what `compress` made.
    static func decompress(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        let size = ZSTD_getFrameContentSize(bytes.baseAddress, bytes.count)
        // Unknown and broken sizes are the two highest numbers, far above the limit.
        guard size <= UInt64(bytesMax) else { return nil }
        let original = [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            let written = ZSTD_decompress(buffer.baseAddress, buffer.count, bytes.baseAddress, bytes.count)
            count = ZSTD_isError(written) == 0 ? written : 0
        }
        return original.count == Int(size) ? original : nil
    }
}
