import Testing

@testable import Lab

@Suite("The breakers of others follow their documented rules")
struct SubjectTests {
    @Test("resilience4j decides at 100 calls, not at 99, and opens for 60 s")
    func resilience4jOpens() {
        var talk = Transcript(Resilience4jBreaker())
        #expect(talk.calls(99, .error) == 99)
        #expect(talk.stance == .closed)
        talk.calls(1, .error)
        #expect(talk.stance == .open)
        talk.pass(to: 59.9)
        #expect(talk.calls(1) == 0)
        talk.pass(to: 60)
        #expect(talk.stance == .open, "without a call it stays open")
        #expect(talk.calls(1) == 1)
        #expect(talk.stance == .halfOpen)
    }

    @Test("resilience4j stays closed at 49 of 100 failures and opens at 50")
    func resilience4jThreshold() {
        var talk = Transcript(Resilience4jBreaker())
        talk.calls(49, .error)
        talk.calls(51)
        #expect(talk.stance == .closed)
        talk = Transcript(Resilience4jBreaker())
        talk.calls(50)
        talk.calls(50, .error)
        #expect(talk.stance == .open)
    }

    @Test("resilience4j lets ten calls through in half-open and decides when all ten have ended")
    func resilience4jHalfOpen() {
        var talk = Transcript(Resilience4jBreaker())
        talk.calls(100, .error)
        talk.pass(to: 60)
        let permits = (0..<12).compactMap { _ in talk.admits() }
        #expect(permits.count == 10)
        for permit in permits.prefix(4) { talk.end(permit, .error) }
        for permit in permits.dropFirst(4).prefix(5) { talk.end(permit) }
        #expect(talk.stance == .halfOpen)
        talk.end(permits[9])
        #expect(talk.stance == .closed)
    }

    @Test("resilience4j as it comes never opens for calls of 999 ms; tuned to 100 ms it does")
    func resilience4jSlow() {
        var talk = Transcript(Resilience4jBreaker())
        talk.calls(1_000, milliseconds: 999)
        #expect(talk.stance == .closed)
        talk = Transcript(Resilience4jBreaker(.handTuned))
        talk.calls(50, milliseconds: 101)
        talk.calls(50, milliseconds: 100)
        #expect(talk.stance == .open)
        talk.pass(to: 10)
        #expect(talk.calls(10) == 10)
        #expect(talk.stance == .closed)
    }

    @Test("Hystrix opens at a health snapshot, with 20 calls and half of them failed")
    func hystrixOpens() {
        var talk = Transcript(HystrixBreaker())
        talk.pass(to: 0.2)
        talk.calls(19, .error)
        talk.pass(to: 0.5)
        #expect(talk.stance == .closed)
        talk.calls(1, .error)
        #expect(talk.stance == .closed, "not between snapshots")
        talk.pass(to: 1)
        #expect(talk.stance == .open)
        talk.pass(to: 5.9)
        #expect(talk.calls(1) == 0)
        talk.pass(to: 6.1)
        let probe = talk.admits()
        #expect(probe != nil)
        #expect(talk.admits() == nil, "one call in half-open")
        if let probe { talk.end(probe) }
        #expect(talk.stance == .closed)
    }

    @Test("Hystrix forgets calls after ten seconds")
    func hystrixForgets() {
        var talk = Transcript(HystrixBreaker())
        talk.calls(15, .error)
        talk.pass(to: 10.5)
        talk.calls(15, .error)
        talk.pass(to: 11)
        #expect(talk.stance == .closed)
    }

    @Test("Hystrix turns the eleventh call in flight away and counts that as an error")
    func hystrixSemaphore() {
        var talk = Transcript(HystrixBreaker())
        let permits = (0..<30).compactMap { _ in talk.admits() }
        #expect(permits.count == 10)
        talk.pass(to: 0.5)
        #expect(talk.stance == .open)
    }

    @Test("Polly needs 100 calls in 30 s and a tenth of them failed, and looks when one fails")
    func pollyOpens() {
        var talk = Transcript(PollyBreaker())
        talk.calls(99, .error)
        #expect(talk.stance == .closed)
        talk.calls(1, .error)
        #expect(talk.stance == .open)
        talk = Transcript(PollyBreaker())
        talk.calls(10, .error)
        talk.calls(90)
        #expect(talk.stance == .closed, "at the hundredth call the share is a tenth, but that one succeeded")
        talk.calls(1, .error)
        #expect(talk.stance == .open)
        #expect(talk.calls(1) == 0)
    }

    @Test("Polly lets one call through after 5 s, and the next only after another 5 s without its result")
    func pollyHalfOpen() {
        var talk = Transcript(PollyBreaker())
        talk.calls(100, .error)
        talk.pass(to: 5)
        let probe = talk.admits()
        #expect(probe != nil)
        #expect(talk.admits() == nil)
        talk.pass(to: 10)
        #expect(talk.admits() != nil)
        if let probe { talk.end(probe) }
        #expect(talk.stance == .closed)
        talk.calls(99, .error)
        #expect(talk.stance == .closed, "its counts began anew")
    }

    @Test("Polly forgets calls after 30 s")
    func pollyForgets() {
        var talk = Transcript(PollyBreaker())
        talk.calls(99, .error)
        talk.pass(to: 30)
        talk.calls(1, .error)
        #expect(talk.stance == .closed)
    }

    @Test("Envoy ejects at five errors in a row and takes the host back at a sweep after 30 s")
    func envoyEjects() {
        var talk = Transcript(EnvoyConsecutive())
        talk.pass(to: 1)
        talk.calls(4, .error)
        talk.calls(1)
        talk.calls(4, .timeout)
        #expect(talk.stance == .closed)
        talk.calls(1, .error)
        #expect(talk.stance == .open)
        talk.pass(to: 39.9)
        #expect(talk.calls(1) == 0)
        talk.pass(to: 40)
        #expect(talk.calls(1) == 1)
    }

    @Test("Envoy ejects twice as long the second time, and forgives one ejection per sweep")
    func envoyGrows() {
        var talk = Transcript(EnvoyConsecutive())
        talk.calls(5, .error)
        talk.pass(to: 30)
        #expect(talk.stance == .closed)
        talk.calls(5, .error)
        talk.pass(to: 89.9)
        #expect(talk.stance == .open)
        talk.pass(to: 90)
        #expect(talk.stance == .closed)
        talk.pass(to: 110)
        talk.calls(5, .error)
        talk.pass(to: 140)
        #expect(talk.stance == .closed, "both were forgiven")
    }

    @Test("gobreaker opens at the sixth failure in a row, for 60 s, and one call decides")
    func goBreaker() {
        var talk = Transcript(GoBreaker())
        talk.calls(5, .error)
        talk.calls(1)
        talk.calls(5, .error)
        #expect(talk.stance == .closed)
        talk.calls(1, .error)
        #expect(talk.stance == .open)
        talk.pass(to: 60)
        #expect(talk.calls(1) == 0, "not before the timeout is over")
        talk.pass(to: 60.1)
        let probe = talk.admits()
        #expect(probe != nil)
        #expect(talk.admits() == nil)
        if let probe { talk.end(probe) }
        #expect(talk.stance == .closed)
    }

    @Test("gobreaker ignores the result of a call from an earlier state")
    func goBreakerGenerations() {
        var talk = Transcript(GoBreaker())
        let early = talk.admits()
        talk.calls(6, .error)
        talk.pass(to: 60.1)
        let probe = talk.admits()
        if let early { talk.end(early, .error) }
        #expect(talk.stance == .halfOpen)
        if let probe { talk.end(probe) }
        #expect(talk.stance == .closed)
    }
}
