#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Says that a directory holds a continuous copy, which the next one may be written over. What was opened as a log is a
/// copy no longer, and has lost the mark.
struct CopyMark {
    private let path: String

    init(directory: String) {
        path = directory + "/copy.of"
    }

    var isThere: Bool { access(path, F_OK) == 0 }

    /// Names the log for people who find the directory.
    func put(source: String) throws(LogError) {
        guard let file = try RawFile.open(path, forWriting: true) else { return }
        try file.write(Array("\(source)\n".utf8), at: 0)
    }

    func remove() { unlink(path) }
}
