import Telemetry
import Testing

@Suite("The spool in a terminal")
struct SpoolTablesTests {
    private let tables = SpoolTables(.plain) { $0 == "/wo=" ? [0xFF, 0x0A] : nil }

    @Test func streams() {
        let list = SpoolList(
            streams: [
                SpoolStreamView(
                    listener: "shop", database: 0, stream: "orders", isSentOn: true,
                    waiting: .init(messages: 12, bytes: 2_048, oldest: 1_767_323_045_123),
                    setAside: .init(
                        messages: 3, bytes: 300, oldest: 1_767_323_045_000, reasons: ["ERR": 1, "WRONGTYPE": 2])),
                SpoolStreamView(
                    listener: "old", database: 4, stream: "bi\u{1B}lls", isSentOn: false,
                    waiting: .init(messages: 0, bytes: 0, oldest: nil),
                    setAside: .init(messages: 1, bytes: 10, oldest: 0, reasons: ["ERR": 1])),
            ], leftOut: 0, messagesMax: 100, bytesMax: 100)
        #expect(
            tables.text(list) == """
                LISTENER         DB  STREAM  WAITING      SIZE  OLDEST                    SET ASIDE   SIZE  OLDEST                    REASONS
                shop              0  orders       12  2.00 KiB  2026-01-02T03:04:05.123Z          3  300 B  2026-01-02T03:04:05.000Z  WRONGTYPE 2, ERR 1
                old (not there)   4  bi?lls        0       0 B  -                                 1   10 B  1970-01-01T00:00:00.000Z  ERR 1
                """)
    }

    @Test func message() {
        var message = SpoolMessageView(
            id: "1767323045123-0", state: "set_aside", listener: "shop", database: 0, stream: "orders",
            reason: "WRONGTYPE", since: 1_767_323_045_123, stored: 1_767_323_044_000, promised: "1767323044000-5",
            bytes: 77, traceID: "0af7651916cd43dd8448eb211c80319c")
        message.command = [.text("XADD"), .text("orders")]
        message.fields = [[.text("a\\b\u{202E}"), .base64("/wo=")], [.text("é"), .text("line\r\nline\u{1}")]]
        #expect(
            tables.text(message) == #"""
                message 1767323045123-0
                  of          orders, database 0, listener shop
                  set aside   2026-01-02T03:04:05.123Z, WRONGTYPE
                  published   2026-01-02T03:04:04.000Z, answered with 1767323044000-5
                  trace       0af7651916cd43dd8448eb211c80319c
                  size        77 B
                  command     XADD orders
                  field       a\\b\xe2\x80\xae=\xff\n
                  field       é=line\r\nline\x01
                """#)
    }
}
