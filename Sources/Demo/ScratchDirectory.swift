import Foundation

/// A directory of our own below a temporary one. It is locked for as long as it is in use, and whoever makes the next one
/// removes those that nobody holds any more: a demonstration that was killed has left its own behind.
struct ScratchDirectory {
    let path: String
    /// The directory, opened; the kernel gives up the lock with it, however the process ends.
    private let lock: Int32

    private static let prefix = "tacho-demo-"

    /// - Throws: `CocoaError` when no directory can be made there.
    init(below parent: String = FileManager.default.temporaryDirectory.path) throws {
        Self.sweep(parent)
        // It gets the name that is swept when it is locked, not before.
        var template = Array((parent + "/.\(Self.prefix)XXXXXX").utf8CString)
        let made = mkdtemp(&template).map { String(cString: $0) }
        let path = made.map { parent + "/" + ($0 as NSString).lastPathComponent.dropFirst() }
        guard let made, let path, let lock = Self.lock(made), rename(made, path) == 0 else {
            throw CocoaError(
                .fileWriteUnknown,
                userInfo: [NSLocalizedDescriptionKey: "no directory can be made in \(parent)"])
        }
        (self.path, self.lock) = (path, lock)
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
        close(lock)
    }

    private static func sweep(_ parent: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
        for path in names.filter({ $0.hasPrefix(prefix) }).map({ parent + "/" + $0 }) {
            guard isOurs(path), let lock = lock(path) else { continue }
            try? FileManager.default.removeItem(atPath: path)
            close(lock)
        }
    }

    /// What another user's process has left is for that user, also when this one is root.
    private static func isOurs(_ path: String) -> Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return (attributes?[.ownerAccountID] as? NSNumber)?.uint32Value == geteuid()
    }

    /// Nil when it is no directory, or somebody holds it.
    private static func lock(_ path: String) -> Int32? {
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard directory >= 0 else { return nil }
        guard flock(directory, LOCK_EX | LOCK_NB) == 0 else {
            close(directory)
            return nil
        }
        return directory
    }
}
