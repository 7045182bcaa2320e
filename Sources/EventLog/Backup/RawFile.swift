#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file as bytes at offsets, for what SQLite itself does not offer. Closes itself.
final class RawFile {
    private let descriptor: Int32
    private let path: String

    /// Opens a file; nil when there is none and it is only to be read.
    static func open(_ path: String, forWriting: Bool) throws(LogError) -> RawFile? {
        let flags = forWriting ? O_RDWR | O_CREAT : O_RDONLY
        let descriptor = Self.system { openFile(path, flags | O_CLOEXEC) }
        guard descriptor < 0 else { return RawFile(descriptor, path) }
        if errno == ENOENT, !forWriting { return nil }
        throw failure(path)
    }

    private init(_ descriptor: Int32, _ path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        close(descriptor)
    }

    /// Fills the buffer from an offset as far as the file goes; how many bytes.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(LogError) -> Int {
        var count = 0
        while count < buffer.count {
            let got = Self.system {
                pread(descriptor, buffer.baseAddress! + count, buffer.count - count, offset + count)
            }
            guard got >= 0 else { throw Self.failure(path) }
            if got == 0 { break }
            count += got
        }
        return count
    }

    /// So many bytes from an offset; fewer at the end of the file.
    func bytes(at offset: Int, count: Int) throws(LogError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(LogError) in try read(into: buffer, at: offset) }
        }
        bytes.removeLast(count - (try result.get()))
        return bytes
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(LogError) {
        var count = 0
        while count < bytes.count {
            let put = Self.system {
                pwrite(descriptor, bytes.baseAddress! + count, bytes.count - count, offset + count)
            }
            guard put > 0 else { throw Self.failure(path) }
            count += put
        }
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(LogError) {
        let result = bytes.withUnsafeBytes { bytes in Result { () throws(LogError) in try write(bytes, at: offset) } }
        try result.get()
    }

    /// Returns when everything is on disk.
    func synchronize() throws(LogError) {
        guard Self.system({ fdatasync(descriptor) }) == 0 else { throw Self.failure(path) }
    }

    /// Calls again when a signal came in between.
    private static func system<Number: SignedInteger>(_ call: () -> Number) -> Number {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }

    private static func failure(_ path: String) -> LogError {
        switch errno {
        case ENOSPC, EDQUOT: .diskFull
        case EACCES, EROFS, EPERM, ENOENT, ENOTDIR:
            .directoryUnusable(path: path, reason: String(cString: strerror(errno)))
        default: .inputOutput(code: errno, detail: "\(path): \(String(cString: strerror(errno)))")
        }
    }
}

/// `open` under a name that the methods of a class do not hide.
private func openFile(_ path: String, _ flags: Int32) -> Int32 { open(path, flags, 0o600) }
