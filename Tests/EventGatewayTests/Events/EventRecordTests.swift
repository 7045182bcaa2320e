import EventLog
import Testing
import Wire

@testable import EventGateway

@Suite("Stored events as CloudEvents")
struct EventRecordTests {
    private static let id = StreamID(1_795_456_967_818, 3)

    private static func fields(_ pairs: [(String, String)]) -> EventFields {
        var fields = EventFields()
        for (name, value) in pairs { fields.append(name: name.utf8, value: value.utf8) }
        return fields
    }

    private static func text(_ fields: EventFields, stream: String = "orders") -> String {
        let record = EventRecord(fields: fields, id: id, stream: Array(stream.utf8))
        return String(decoding: CloudEventJSON.encode(record.event), as: UTF8.self)
    }

    @Test func anEventComesBackAsItWasSent() throws {
        let sent = #"""
            {"specversion":"1.0","id":"a1","source":"/shop","type":"order.placed","subject":"o-7","time":"2026-01-02T03:04:05Z",\#
            "datacontenttype":"application/json","dataschema":"urn:x","tenant":"t9","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",\#
            "data":{"item":"book"}}
            """#
        let event = try CloudEventJSON.event(Array(sent.utf8))
        let fields = EventFields(event)
        #expect(
            fields.pairs.map { String(decoding: $0.name, as: UTF8.self) } == [
                "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_datacontenttype", "ce_dataschema", "data",
                "ce_tenant", "traceparent",
            ])
        #expect(Self.text(fields) == sent)
    }

    @Test(arguments: [
        ([("item", "book")], #"{"item":"book"}"#),
        ([("item", "book"), ("item", "pen")], #"{"item":["book","pen"]}"#),
        ([("data", "x")], #"{"data":"x"}"#),
    ])
    func anEntryOfRedisIsAnEventToo(_ fields: [(String, String)], _ data: String) {
        #expect(
            Self.text(Self.fields(fields + [("correlationid", "c")]))
                == #"{"specversion":"1.0","id":"1795456967818-3","source":"/streams/orders","type":"tacho.entry","#
                + #""datacontenttype":"application/json","correlationid":"c","data":\#(data)}"#)
    }

    @Test func bytesThatAreNoTextStandInBase64() {
        var fields = EventFields()
        fields.append(name: "f".utf8, value: [0xff, 0x00])
        #expect(Self.text(fields, stream: "a b").contains(#""source":"/streams/a%20b""#))
        #expect(Self.text(fields).contains(#""data":{"f":{"base64":"/wA="}}"#))
    }

    @Test func whatTheLogSaysIsNotStored() throws {
        let read = #"{"specversion":"1.0","id":"1","source":"s","type":"t","tachooffset":"7","tachoattempt":2}"#
        let fields = EventFields(try CloudEventJSON.event(Array(read.utf8)))
        #expect(fields.pairs.map { String(decoding: $0.name, as: UTF8.self) } == ["ce_id", "ce_source", "ce_type"])
    }
}
