import Foundation
import Logging
import Synchronization
import Testing

@testable import Sidecar

@Suite("The log output")
struct LogOutputTests {
    /// What was written and lost, with a clock that the test turns.
    private final class World: Sendable {
        let lines = Mutex<[String]>([])
        let losses = Mutex<[LogOutput.Loss]>([])
        let now = Mutex<UInt64>(0)
        let accepts = Mutex(true)

        func output() -> LogOutput {
            LogOutput(
                format: .text, onLoss: { loss in self.losses.withLock { $0.append(loss) } },
                write: { line in
                    guard self.accepts.withLock({ $0 }) else { return false }
                    self.lines.withLock { $0.append(line) }
                    return true
                },
                wallNanoseconds: { 0 }, monotonicNanoseconds: { self.now.withLock { $0 } })
        }
    }

    @Test("level, standing metadata and metadata of the line")
    func metadata() {
        let world = World()
        var logger = world.output().logger(level: .notice)
        logger[metadataKey: "listener"] = "redis"
        logger[metadataKey: "peer"] = "old"
        logger.info("not shown")
        logger.notice("shown", metadata: ["peer": "new"])
        #expect(world.lines.withLock { $0 } == ["1970-01-01T00:00:00.000Z notice   shown listener=redis peer=new"])
    }

    @Test("one place in the code writes a burst, then a line a second; debug is not limited")
    func limited() {
        let world = World()
        let logger = world.output().logger(level: .debug)
        func complain(_ times: Int) { for _ in 0..<times { logger.warning("bad peer") } }
        complain(50)
        #expect(world.lines.withLock { $0.count } == 20)
        #expect(world.losses.withLock { $0 } == Array(repeating: .suppressed, count: 30))
        world.now.withLock { $0 = 1_000_000_000 }
        complain(1)
        #expect(world.lines.withLock { $0.last } == "1970-01-01T00:00:00.000Z warning  bad peer suppressed=30")
        for _ in 0..<50 { logger.debug("detail") }
        #expect(world.lines.withLock { $0.count } == 71)
    }

    @Test("a line that nobody takes is counted")
    func unwritable() {
        let world = World()
        world.accepts.withLock { $0 = false }
        world.output().logger(level: .info).info("lost")
        #expect(world.losses.withLock { $0 } == [.unwritable])
    }

    @Test("a pipe without a reader loses the line, not the process")
    func noReader() throws {
        let pipe = Pipe()
        let sink = StandardErrorSink(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        try pipe.fileHandleForReading.close()
        #expect(!sink.write("nobody reads"))
    }

    @Test("a pipe whose reader has stopped takes what fits and never blocks; afterwards lines are whole again")
    func stoppedReader() throws {
        let pipe = Pipe()
        let sink = StandardErrorSink(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        let line = String(repeating: "x", count: 9_000)
        var whole = 0
        while sink.write(line) { whole += 1 }
        #expect(whole > 0)
        #expect(!sink.write("lost too"))

        // The reader returns and empties the pipe; then the writer goes on.
        let taken = try pipe.fileHandleForReading.read(upToCount: whole * 9_001)
        #expect(taken?.count == whole * 9_001)
        #expect(sink.write("after"))
        try pipe.fileHandleForWriting.close()
        let rest = try pipe.fileHandleForReading.readToEnd() ?? Data()
        #expect(String(decoding: rest, as: UTF8.self).hasSuffix("\nafter\n"))
    }
}
