import Console
import Proxy
import Testing

@Suite("Where the sidecar is")
struct AdminAddressTests {
    private func address(_ text: String?, _ variable: String? = nil) throws -> String {
        try AdminAddress(text, environment: variable.map { ["TACHO_HTTP_LISTEN": $0] } ?? [:]).endpoint.description
    }

    @Test func theFlagWinsOverTheVariableOverTheDefault() throws {
        #expect(try address(nil) == "127.0.0.1:9464")
        #expect(try address(nil, "") == "127.0.0.1:9464")
        #expect(try address(nil, "9000") == "127.0.0.1:9000")
        #expect(try address("sidecar:9001", "9000") == "sidecar:9001")
        #expect(try address("[::1]:9002") == "[::1]:9002")
    }

    @Test func everyInterfaceIsReachedOnThisMachine() throws {
        #expect(try address(nil, "0.0.0.0:9464") == "127.0.0.1:9464")
        #expect(try address("[::]:9464") == "[::1]:9464")
    }

    @Test func whatIsNoAddressIsSaid() {
        for text in ["", "unix:/tmp/http", "host", "127.0.0.1:0", "http://localhost:9464"] {
            let error = #expect(throws: AdminError.self) { try address(text) }
            #expect(error?.code == .address)
            #expect(error?.description.hasPrefix("--http: expected HOST:PORT") == true)
        }
        let error = #expect(throws: AdminError.self) { try address(nil, "none") }
        #expect(error?.description.hasPrefix("TACHO_HTTP_LISTEN: expected HOST:PORT") == true)
    }

    @Test func nobodyThere() throws {
        let client = AdminClient(try AdminAddress("127.0.0.1:1", environment: [:]))
        let error = #expect(throws: AdminError.self) { try client.document("/api/v1/traces") }
        #expect(error?.code == .unreachable)
        #expect(error?.description.hasPrefix("no sidecar answers at 127.0.0.1:1") == true)
    }
}
