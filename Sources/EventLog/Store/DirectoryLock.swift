import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps a second process away from the same data: an advisory lock on a file that stays, holding the owner's process
/// id for the other's error message. The system gives the lock up when the process ends, however it ends.
final class DirectoryLock: Sendable {
    /// Nil once it was given up.
    private let descriptor: Mutex<Int32?>

    /// Makes the directory when it is missing, and locks it.
    init(directory: String) throws(LogError) {
        try Self.makeDirectory(directory)
        let path = directory + "/log.lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw .directoryUnusable(path: directory, reason: "\(path): \(Self.systemError())")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let owner = Self.readProcessID(descriptor)
            close(descriptor)
            throw .alreadyOpen(path: directory, processID: owner)
        }
        self.descriptor = Mutex(descriptor)
        Self.write(processID: getpid(), to: descriptor)
    }

    deinit {
        release()
    }

    /// Lets others have the directory. Further calls do nothing.
    func release() {
        descriptor.withLock { descriptor in
            if let descriptor { close(descriptor) }
            descriptor = nil
        }
    }

    private static func makeDirectory(_ directory: String) throws(LogError) {
        guard mkdir(directory, 0o700) != 0, errno != EEXIST else { return }
        throw .directoryUnusable(path: directory, reason: systemError())
    }

    private static func write(processID: Int32, to descriptor: Int32) {
        // Only for the message of the other process: that it could not be written hurts nobody.
        let text = Array("\(processID)\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    private static func readProcessID(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes.prefix(count).prefix { $0 != 10 }, as: UTF8.self))
    }

    private static func systemError() -> String {
        String(cString: strerror(errno))
    }
}
