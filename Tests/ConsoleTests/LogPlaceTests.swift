import Console
import Foundation
import Testing

@Suite("Where logs are")
struct LogPlaceTests {
    let root = NSTemporaryDirectory() + "place-" + UUID().uuidString

    @Test("A log is found in its own directory and below a data directory")
    func existing() throws {
        try FileManager.default.createDirectory(atPath: root + "/events", withIntermediateDirectories: true)
        #expect(throws: AdminError.self) { try LogPlace.existing(root) }
        #expect(FileManager.default.createFile(atPath: root + "/events/events.sqlite", contents: Data()))
        #expect(try LogPlace.existing(root) == root + "/events")
        #expect(try LogPlace.existing(root + "/events") == root + "/events")
        #expect(throws: AdminError.self) { try LogPlace.requireEmpty(root + "/events") }
        #expect(throws: AdminError.self) { try LogPlace.requireEmpty(root) }
        try LogPlace.requireEmpty(root + "/new/events")
        #expect(FileManager.default.createFile(atPath: root + "/new/events/events.sqlite.partial", contents: Data()))
        try LogPlace.requireEmpty(root + "/new/events")
        try FileManager.default.removeItem(atPath: root)
    }

    @Test("The data directory is what the flag says, else the environment, else the usual one")
    func data() {
        #expect(LogPlace.data("a", environment: ["TACHO_DATA": "b"]) == "a")
        #expect(LogPlace.data(nil, environment: ["TACHO_DATA": "b"]) == "b")
        #expect(LogPlace.data(nil, environment: ["TACHO_DATA": ""]) == "./tacho-data")
    }

    @Test("Moments are milliseconds or RFC 3339 times")
    func moments() {
        #expect(LogPlace.moment("1500") == 1_500)
        #expect(LogPlace.moment("1970-01-01T00:00:01Z") == 1_000)
        #expect(LogPlace.moment("1970-01-01T01:00:01.250+01:00") == 1_250)
        #expect(LogPlace.moment("-1") == nil)
        #expect(LogPlace.moment("yesterday") == nil)
    }
}
