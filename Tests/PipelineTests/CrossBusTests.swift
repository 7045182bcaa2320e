import Pipeline
import Testing

/// What a client holds of one bus is the cause of what it publishes on another.
@Suite struct CrossBusTests {
    private let peer = ClientPeer.process(17, startedAt: 4)
    private let ack = "$JS.ACK.ORDERS.worker.1.42.1.\(World.startUnixMilliseconds * 1_000_000).0"

    /// The words of one command, if its lengths and counts are right.
    private func words(_ command: String) throws -> [String] {
        var lines = command.split(separator: "\r\n", omittingEmptySubsequences: false)[...]
        let count = try #require(lines.popFirst().flatMap { Int($0.dropFirst()) })
        var words: [String] = []
        while words.count < count, let head = lines.popFirst(), let word = lines.popFirst() {
            #expect(head == "$\(word.utf8.count)")
            words.append(String(word))
        }
        #expect(words.count == count && Array(lines) == [""])
        return words
    }

    @Test func aRedisEntryNamesTheMessageOfAStreamThatCausedIt() throws {
        let world = World(system: "nats")
        let consumer = world.natsClient(peer)
        consumer.client("SUB push 1\r\n")
        consumer.upstream(msg("orders.new", "1", "bill", reply: ack))
        let redis = world.connect(peer)
        let forwarded = redis.client("*5\r\n$4\r\nXADD\r\n$7\r\nprinted\r\n$1\r\n*\r\n$1\r\nn\r\n$1\r\n1\r\n")
        let fields = try words(forwarded)
        #expect(Array(fields.prefix(5)) == ["XADD", "printed", "*", "n", "1"])
        #expect(fields[5] == "traceparent" && fields[7] == "correlationid")
        #expect(Array(fields.suffix(2)) == ["causationid", "42"])
    }

    @Test func aNatsMessageNamesTheEntryThatCausedIt() throws {
        let world = World(system: "nats")
        let redis = world.connect(peer)
        redis.client(
            "*9\r\n$10\r\nXREADGROUP\r\n$5\r\nGROUP\r\n$1\r\ng\r\n$1\r\nc\r\n$5\r\nCOUNT\r\n$1\r\n1\r\n"
                + "$7\r\nSTREAMS\r\n$4\r\njobs\r\n$1\r\n>\r\n")
        redis.upstream("*1\r\n*2\r\n$4\r\njobs\r\n*1\r\n*2\r\n$5\r\n123-4\r\n*2\r\n$1\r\nn\r\n$1\r\n1\r\n")
        let forwarded = world.natsClient(peer).client(pub("bills.new", "bill"))
        #expect(forwarded.hasPrefix("HPUB bills.new "))
        #expect(forwarded.contains("\r\ncausationid: 123-4\r\n\r\nbill\r\n"))
    }
}
