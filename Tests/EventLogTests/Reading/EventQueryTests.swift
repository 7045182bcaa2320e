import Testing

@testable import EventLog

@Suite("Queries")
struct EventQueryTests {
    let scratch: ScratchLog
    private let orders = [UInt8]("orders")

    /// Ten events of `orders`, one per 100 ms from 100 on, of two types, among as many of another stream.
    init() throws {
        scratch = try ScratchLog()
        for number in 1...10 {
            for stream in ["orders", "others"] {
                _ = scratch.log.answer(
                    StreamAppend.to(
                        stream, .automatic, ("ce_type", number % 2 == 0 ? "even" : "odd"),
                        ("correlationid", number <= 4 ? "c1" : "c2")), at: UInt64(number) * 100)
            }
        }
    }

    private func find(limit: Int = 100, _ change: (inout EventQuery) -> Void) throws -> (offsets: [Int64], next: Int64?)
    {
        var query = EventQuery(stream: orders)
        change(&query)
        let page = try scratch.wait { scratch.log.page(query, limit: limit, answer: $0) }
        #expect(page.events.allSatisfy { $0.stream == orders })
        return (page.events.map(\.offset), page.next)
    }

    @Test("By place and time, both ends included; pages say where to go on")
    func ranges() throws {
        #expect(try find { _ in } == (Array(1...10), nil))
        #expect(try find(limit: 4) { _ in } == ([1, 2, 3, 4], 5))
        #expect(try find(limit: 4) { $0.start = .offset(7) } == ([7, 8, 9, 10], nil))
        #expect(try find { ($0.start, $0.lastOffset) = (.offset(3), 5) } == ([3, 4, 5], nil))
        #expect(try find { ($0.start, $0.lastID) = (.id(StreamID(850, 0)), StreamID(900, 0)) } == ([9], nil))
        #expect(try find { ($0.sinceUnixMilliseconds, $0.untilUnixMilliseconds) = (250, 400) } == ([3, 4], nil))
        #expect(try find { ($0.start, $0.sinceUnixMilliseconds) = (.offset(9), 250) } == ([9, 10], nil))
        #expect(try find { $0.start = .offset(99) } == ([], nil))
        #expect(try find { $0.stream = [UInt8]("none") } == ([], nil))
    }

    @Test("By what events say, within the stream, the range and the limit")
    func keys() throws {
        #expect(try find { $0.keys[.type] = [UInt8]("even") } == ([2, 4, 6, 8, 10], nil))
        #expect(try find(limit: 2) { $0.keys[.type] = [UInt8]("even") } == ([2, 4], 6))
        #expect(
            try find {
                $0.keys = [.type: [UInt8]("odd"), .correlationID: [UInt8]("c1")]
            } == ([1, 3], nil))
        #expect(
            try find {
                $0.keys = [.type: [UInt8]("odd")]
                ($0.start, $0.lastOffset) = (.offset(4), 8)
            } == ([5, 7], nil))
        #expect(try find { $0.keys = [.traceID: [UInt8]("00")] } == ([], nil))
    }

    @Test("How streams and groups stand")
    func overviews() throws {
        _ = scratch.log.answer(.createGroup(.init(key: orders, group: [UInt8]("g"), start: .after(StreamID(300, 0)))))
        let first = try scratch.wait { scratch.log.overviews(limit: 1, now: 2_000, answer: $0) }
        #expect(first.streams.map(\.name) == [orders])
        #expect(first.streams[0].length == 10 && first.streams[0].lastOffset == 10)
        #expect(first.streams[0].firstID == StreamID(100, 0) && first.streams[0].lastID == StreamID(1_000, 0))
        #expect(first.streams[0].groups.map(\.info.name) == [[UInt8]("g")])
        let next = try #require(first.next)
        let second = try scratch.wait { scratch.log.overviews(after: next, limit: 1, now: 2_000, answer: $0) }
        #expect(second.streams.map(\.name) == [[UInt8]("others")] && second.next == nil)
        #expect(try scratch.wait { scratch.log.overview(of: [UInt8]("none"), now: 0, answer: $0) } == nil)
    }
}
