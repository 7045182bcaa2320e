import Foundation
import Testing

@testable import Demo

@Suite("The directory of a demonstration")
struct ScratchDirectoryTests {
    private let parent: String

    init() throws {
        var template = Array((FileManager.default.temporaryDirectory.path + "/demo-tests-XXXXXX").utf8CString)
        parent = String(cString: try #require(mkdtemp(&template)))
    }

    private var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: parent).sorted()) ?? [] }

    @Test("what a killed one has left is swept by the next; what is in use, or of somebody else, stays")
    func sweeping() throws {
        defer { try? FileManager.default.removeItem(atPath: parent) }
        let running = try ScratchDirectory(below: parent)
        for left in ["tacho-demo-killed/events", "other"] {
            try FileManager.default.createDirectory(atPath: "\(parent)/\(left)", withIntermediateDirectories: true)
        }
        #expect(
            FileManager.default.createFile(
                atPath: "\(parent)/tacho-demo-killed/events/log.db", contents: Data("x".utf8)))

        let next = try ScratchDirectory(below: parent)
        #expect(names == ["other", running.path, next.path].map { ($0 as NSString).lastPathComponent }.sorted())
        running.remove()
        next.remove()
        #expect(names == ["other"])
    }

    @Test("a place that is not there is told")
    func noPlace() throws {
        defer { try? FileManager.default.removeItem(atPath: parent) }
        #expect(throws: CocoaError.self) { try ScratchDirectory(below: parent + "/nowhere") }
    }
}
