import Foundation

/// A directory of our own below the system's temporary one.
struct ScratchDirectory {
    let path: String

    init() throws {
        var template = Array((FileManager.default.temporaryDirectory.path + "/tacho-demo-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CocoaError(
                .fileWriteUnknown, userInfo: [NSLocalizedDescriptionKey: "no temporary directory can be made"])
        }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
