import NIOCore
import Pipeline
import Testing

/// INFO and CONNECT: what each side sees of the other.
@Suite struct NATSHandshakeTests {
    private let info =
        #"INFO {"server_id":"N1","headers":true,"max_payload":1024,"connect_urls":["10.0.0.1:4222","10.0.0.2:4222"],"#
        + #""ws_connect_urls":["10.0.0.1:80"],"nonce":"abc"} "# + "\r\n"

    @Test func clientsAreNotToldOfOtherServers() {
        let world = World(system: "nats")
        let session = world.connectNATS()
        #expect(
            session.upstream(info)
                == #"INFO {"server_id":"N1","headers":true,"max_payload":1024,"nonce":"abc"} "# + "\r\n")
        #expect(session.last.alternatives == ["10.0.0.1:4222", "10.0.0.2:4222"])
    }

    @Test func theListOfServersMayPassOrBeReplaced() {
        let passing = World(system: "nats", nats: NATSOptions(advertised: .server)).connectNATS()
        #expect(passing.upstream(info) == info)
        let replaced = World(system: "nats", nats: NATSOptions(advertised: .listed(["a:1", "b:2"]))).connectNATS()
        #expect(
            replaced.upstream(#"INFO {"connect_urls":["10.0.0.1:4222"],"headers":true}"# + "\r\n")
                == #"INFO {"headers":true,"connect_urls":["a:1","b:2"]}"# + "\r\n")
    }

    @Test func laterGreetingsAreTreatedAlike() {
        let session = World(system: "nats").natsClient()
        #expect(
            session.upstream(#"INFO {"ldm":true,"connect_urls":["10.0.0.1:4222"]}"# + "\r\n")
                == #"INFO {"ldm":true}"# + "\r\n")
    }

    @Test(arguments: [
        (#"{"verbose":false}"#, #"{"headers":true,"verbose":false}"#),
        (#"{"headers":false,"user":"u","pass":"\"}"}"#, #"{"headers":true,"user":"u","pass":"\"}"}"#),
        (#"{"headers": false ,"headers":null}"#, #"{"headers": true ,"headers":true}"#),
        (#"{}"#, #"{"headers":true}"#),
        // Clients that read headers, and those whose contradiction the server refuses, are left alone.
        (#"{"headers":true,"sig":"x"}"#, #"{"headers":true,"sig":"x"}"#),
        (#"{"no_responders":true}"#, #"{"no_responders":true}"#),
        ("rubbish", "rubbish"),
    ])
    func headersAreAskedFor(sent: String, forwarded: String) {
        let session = World(system: "nats").connectNATS()
        session.upstream(#"INFO {"headers":true}"# + "\r\n")
        #expect(session.client("CONNECT \(sent)\r\n") == "CONNECT \(forwarded)\r\n")
    }

    @Test func aServerWithoutHeadersIsNotAsked() {
        let world = World(system: "nats")
        let session = world.connectNATS()
        session.upstream("INFO {}\r\n")
        let connect = "CONNECT {\"headers\":false}\r\n"
        #expect(session.client(connect) == connect)
        #expect(session.client(pub("a", "1")) == pub("a", "1"))
        #expect(world.metric("tacho_not_injected_messages_total", "headers_unsupported") == 1)
    }

    @Test func aClientWithoutHeadersSeesNone() {
        let world = World(system: "nats")
        let session = world.connectNATS()
        session.upstream(#"INFO {"headers":true}"# + "\r\n")
        session.client("CONNECT {\"verbose\":true}\r\nSUB a 1\r\n")
        #expect(session.upstream("+OK\r\n+OK\r\n") == "+OK\r\n+OK\r\n")
        #expect(session.upstream(hmsg("a", "1", [("A", "1")], "body", reply: "r")) == msg("a", "1", "body", reply: "r"))
        #expect(session.upstream(hmsg("a", "1", [], "", status: "503")) == msg("a", "1", ""))
        #expect(session.upstream(msg("a", "1", "plain")) == msg("a", "1", "plain"))
    }

    @Test func encryptionThatEndsHereIsAnnouncedHere() {
        let tls = SessionTLS(client: .afterGreeting, clientIsVerified: true, upstream: .afterGreeting)
        let session = World(system: "nats", tls: tls).connectNATS()
        let told = session.upstream(#"INFO {"tls_required":true,"headers":true}"# + "\r\nPING\r\n")
        #expect(told == #"INFO {"headers":true,"tls_required":true,"tls_verify":true}"# + "\r\n")
        #expect(session.last.startTLS == [.client, .upstream])
        // What came behind the plain greeting is gone; the next bytes are from inside the encryption.
        #expect(session.upstream("PING\r\n") == "PING\r\n")
        #expect(session.upstream(#"INFO {"tls_required":true}"# + "\r\n").contains("tls_required"))
        #expect(session.last.startTLS == [])
    }

    @Test func anUpstreamThatOffersNoEncryptionIsRefused() {
        let session = World(system: "nats", tls: SessionTLS(upstream: .afterGreeting)).connectNATS()
        #expect(session.upstream("INFO {}\r\n").hasPrefix("-ERR 'tacho: the upstream offers no TLS"))
        #expect(session.last.endsSession)
        #expect(session.last.startTLS == [])
    }

    @Test func encryptionTowardsTheUpstreamIsHiddenFromAPlainClient() {
        let session = World(system: "nats", tls: SessionTLS(upstream: .afterGreeting)).connectNATS()
        #expect(
            session.upstream(#"INFO {"tls_available":true,"tls_verify":true,"x":1}"# + "\r\n")
                == #"INFO {"x":1}"# + "\r\n")
        #expect(session.last.startTLS == [.upstream])
    }

    @Test func whoEncryptsWithTheServerItselfCannotBeRead() {
        let world = World(system: "nats")
        let session = world.connectNATS()
        session.upstream(#"INFO {"tls_required":true}"# + "\r\n")
        #expect(session.client([0x16, 0x03, 0x01]) == [0x16, 0x03, 0x01])
        #expect(session.opaque == .encrypted)
        #expect(session.upstream([0x16, 0x00]) == [0x16, 0x00])
    }

    @Test func credentialsReachNothing() {
        let world = World(system: "nats")
        let session = world.connectNATS()
        session.upstream(info)
        let connect =
            #"CONNECT {"headers":true,"name":"shop","user":"alice","pass":"s3cret","jwt":"eyJ","sig":"c2ln"}"# + "\r\n"
        #expect(session.client(connect) == connect)
        session.client(pub("a", "1"))
        let spans = world.spans()
        #expect(spans == ["producer publish a t1/s1 client shop body 1 conversation trace"])
        for secret in ["alice", "s3cret", "eyJ", "c2ln"] { #expect(!world.exposition().contains(secret)) }
    }

    @Test func aRefusalIsAnErrorOfTheProtocol() {
        #expect(String(buffer: NATSSession.refusal("no 'upstream'")) == "-ERR 'tacho: no  upstream '\r\n")
        #expect(NATSSession.upstreamSpeaksFirst)
    }
}
