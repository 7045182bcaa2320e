import Foundation
import Testing

@Suite("Generated code")
struct GeneratedCodeTests {
    private var script: URL {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Proto/generate.sh")
            .standardizedFileURL
    }

    @Test("Sources/COTLP is what protoc-c makes of Proto")
    func isCurrent() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = [script.path, "--check"]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "run Proto/generate.sh and commit Sources/COTLP")
    }
}
