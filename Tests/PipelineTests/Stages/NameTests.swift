import NIOCore
import Telemetry
import Testing

@testable import Pipeline

/// Names on their way from bytes to numbers.
@Suite struct NameCacheTests {
    private func look(_ cache: inout NameCache, _ text: String) -> (name: NameID, hash: UInt64) {
        let bytes = Array("..\(text)..".utf8)
        return cache.name(bytes.span, 2..<(bytes.count - 2))
    }

    @Test func theSameNameHasTheSameNumber() {
        let table = NameTable(capacity: 100)
        var cache = NameCache(table)
        var other = NameCache(table)
        let first = look(&cache, "orders")
        #expect(look(&cache, "orders") == first)
        #expect(look(&other, "orders") == first)
        #expect(look(&cache, "Orders") != first)
        #expect(table.text(of: first.name) == "orders")
        #expect(look(&cache, "").name == .none)
    }

    @Test func itGrows() {
        let table = NameTable(capacity: 5_000)
        var cache = NameCache(table)
        let names = (0..<4_000).map { "stream:\($0)" }
        let numbers = names.map { look(&cache, $0).name }
        #expect(Set(numbers).count == 4_000)
        #expect(names.map { look(&cache, $0).name } == numbers)
        #expect(zip(names, numbers).allSatisfy { table.text(of: $1) == $0 })
    }

    @Test func beyondTheCapacityNamesAreOneButStayDistinct() {
        let table = NameTable(capacity: NameTable.reserved + 2)
        var cache = NameCache(table)
        let first = look(&cache, "a")
        _ = look(&cache, "b")
        let third = look(&cache, "c")
        let fourth = look(&cache, "d")
        #expect(third.name == .other && fourth.name == .other)
        #expect(third.hash != fourth.hash)
        #expect(look(&cache, "a") == first)
        #expect(table.text(of: third.name) == "_other")
    }

    @Test func bytesThatAreNoTextAreANameToo() {
        let table = NameTable(capacity: 10)
        var cache = NameCache(table)
        let bytes: [UInt8] = [0xff, 0xfe, 0x00]
        let name = cache.name(bytes.span, 0..<3)
        #expect(table.text(of: name.name) == "\u{fffd}\u{fffd}\u{0}")
        #expect(cache.name(bytes.span, 0..<3) == name)
    }

    @Test func destinationsBeyondTheCapAreLabelledAlike() {
        let world = World(destinationsMax: 2)
        let session = world.connect()
        for stream in ["a", "b", "c", "d"] {
            session.client(command("XADD", stream, "*", "k", "v"))
            session.upstream(bulk("1-0"))
        }
        #expect(world.spans().map { $0.split(separator: " ")[2] } == ["a", "b", "_other", "_other"])
        #expect(world.metric("messaging_client_sent_messages_total", "\"_other\"") == 2)
    }
}

@Suite struct RouteTableTests {
    private func key(_ destination: UInt32, group: UInt32 = 0) -> Route.Key {
        Route.Key(
            listener: 0, operation: NameID(index: 5), destination: NameID(index: destination),
            group: NameID(index: group), template: .none)
    }

    @Test func routesAreFoundAgain() {
        let shard = MetricsRegistry().makeShard()
        func histogram(_ error: String) -> Histogram {
            shard.histogram(
                MetricCatalog.databaseOperationDuration, ["redis", "GET", error, "broker.test", "6379"])
        }
        var table = RouteTable()
        let route = Route(descriptor: SpanDescriptorID(index: 0), duration: histogram(""))
        #expect(table.find(key(1)) == nil)
        let first = table.add(route, for: key(1))
        let second = table.add(route, for: key(1, group: 2))
        #expect(table.find(key(1))?.index == first.index)
        #expect(table.find(key(1))?.index == first.index)
        #expect(table.find(key(1, group: 2))?.index == second.index)
        #expect(table.find(key(2)) == nil)
        #expect(table.find(key(1))?.index == first.index)

        let error = NameID(index: 9)
        #expect(table[failure: first, error] == nil)
        table[failure: first, error] = histogram("ERR")
        #expect(table[failure: first, error] != nil)
        #expect(table[failure: second, error] == nil)
        #expect(table[failure: first, NameID(index: 8)] == nil)
    }
}

@Suite struct SpliceListTests {
    private func edited(_ text: String, _ count: Int? = nil, _ edits: (Int, Int, String)...) -> String {
        var buffer = ByteBuffer(string: "##" + text)
        buffer.moveReaderIndex(forwardBy: 2)
        var list = SpliceList()
        for (offset, removed, inserted) in edits {
            list.replace(at: offset, removing: removed) { $0.append(contentsOf: inserted.utf8) }
        }
        #expect(list.isEmpty == edits.isEmpty)
        let result = list.apply(to: buffer, count: count ?? text.utf8.count)
        #expect(list.isEmpty)
        #expect(list.apply(to: buffer, count: text.utf8.count) == ByteBuffer(string: text))
        return String(buffer: result)
    }

    @Test func everythingElseIsCopied() {
        #expect(edited("abcdef") == "abcdef")
        #expect(edited("abcdef", nil, (0, 1, "XX")) == "XXbcdef")
        #expect(edited("abcdef", nil, (6, 0, "!")) == "abcdef!")
        #expect(edited("abcdef", nil, (1, 2, ""), (3, 0, "-"), (3, 1, "D"), (5, 1, "")) == "a-De")
        #expect(edited("abcdef", nil, (0, 6, "")) == "")
        #expect(edited("abcdef", 3, (1, 1, "B")) == "aBc")
    }
}
