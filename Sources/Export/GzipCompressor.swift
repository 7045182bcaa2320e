import CZlib

/// Compresses whole bodies into the gzip format, with one zlib state and one buffer that are used again.
///
/// Level 1: higher levels cost twice the time for a tenth of the size.
struct GzipCompressor: ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>
    private var output = [UInt8]()

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let status = tacho_gzip_deflate_init(stream, 1)
        precondition(status == Z_OK, "zlib has no memory for its state")
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Calls `body` with the compressed form of `input`, which must be smaller than 4 GiB.
    mutating func withCompressed<Result>(
        _ input: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Result
    ) -> Result {
        deflateReset(stream)
        let bound = Int(deflateBound(stream, UInt(input.count)))
        if output.count < bound { output = [UInt8](repeating: 0, count: bound) }
        let stream = stream
        return output.withUnsafeMutableBufferPointer { output in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.pointee.avail_in = UInt32(input.count)
            stream.pointee.next_out = output.baseAddress
            stream.pointee.avail_out = UInt32(output.count)
            let status = deflate(stream, Z_FINISH)
            precondition(status == Z_STREAM_END, "the output has room for the worst case")
            return body(UnsafeBufferPointer(rebasing: output[..<(output.count - Int(stream.pointee.avail_out))]))
        }
    }
}
