import Foundation

/// Bytes captured from a real server and its clients, with lines that say what they mean.
struct Capture {
    let name: String
    let bytes: [UInt8]
    let expected: [String]

    /// Those of one protocol: files named `NAME.protocol` in a folder of that name, with the lines in `NAME.meaning`.
    static func all(_ protocolName: String, meaning: String) -> [Capture] {
        var tests = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { tests.deleteLastPathComponent() }
        let directory = tests.appendingPathComponent("Fixtures/\(protocolName)")
        let files = try? FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
        let captures = (files ?? []).filter { $0.pathExtension == protocolName }
        return captures.sorted { $0.path < $1.path }.compactMap { file in
            guard let bytes = try? Data(contentsOf: file),
                let lines = try? String(
                    contentsOf: file.deletingPathExtension().appendingPathExtension(meaning), encoding: .utf8)
            else { return nil }
            return Capture(
                name: file.deletingPathExtension().lastPathComponent, bytes: Array(bytes),
                expected: lines.split(separator: "\n").map(String.init))
        }
    }
}
