import Testing

@testable import Proxy

/// The life of a pair of connections, input by input.
@Suite struct RelayStateMachineTests {
    @Test(arguments: [Side.client, .upstream]) func oneFinishesThenTheOther(_ side: Side) {
        var state = RelayStateMachine()
        #expect(state.finished(side) == .finishOther)
        #expect(state.finished(side) == .nothing)
        #expect(state.finished(side.other) == .closeBoth)
        #expect(state.finished(side.other) == .nothing)
        #expect(state.closed(side) == .closeOther(isLoss: false))
        #expect(state.closed(side.other) == .end)
    }

    @Test func theClientVanishes() {
        var state = RelayStateMachine()
        #expect(state.closed(.client) == .closeOther(isLoss: false))
        #expect(state.closed(.client) == .nothing)
        #expect(state.finished(.client) == .nothing)
        #expect(state.finished(.upstream) == .closeBoth)
        #expect(state.closed(.upstream) == .end)
        #expect(state.closed(.upstream) == .nothing)
        #expect(state.finished(.upstream) == .nothing)
    }

    @Test func theUpstreamIsLost() {
        var state = RelayStateMachine()
        #expect(state.closed(.upstream) == .closeOther(isLoss: true))
        #expect(state.finished(.client) == .closeBoth)
        #expect(state.closed(.client) == .end)
    }

    @Test func theUpstreamClosesAfterTheClientHasFinished() {
        var state = RelayStateMachine()
        #expect(state.finished(.client) == .finishOther)
        #expect(state.closed(.upstream) == .closeOther(isLoss: false))
        #expect(state.closed(.client) == .end)
    }

    @Test func theUpstreamFinishesAndCloses() {
        var state = RelayStateMachine()
        #expect(state.finished(.upstream) == .finishOther)
        #expect(state.closed(.upstream) == .closeOther(isLoss: true))
        #expect(state.closed(.client) == .end)
    }

    @Test func aDrainEndsWhatIsIdle() {
        var state = RelayStateMachine()
        #expect(state.relayed(isIdle: true) == .wait)
        #expect(state.drain(isIdle: true) == .closeBoth)
    }

    @Test func aDrainWaitsForWhatIsUnderWay() {
        var state = RelayStateMachine()
        #expect(state.drain(isIdle: false) == .wait)
        #expect(state.relayed(isIdle: false) == .wait)
        #expect(state.relayed(isIdle: true) == .closeBoth)
        #expect(state.drain(isIdle: true) == .closeBoth)
        #expect(state.finished(.client) == .finishOther)
        #expect(state.closed(.client) == .closeOther(isLoss: false))
        #expect(state.closed(.upstream) == .end)
    }

    @Test func theSidesAreEachOthersOther() {
        #expect(Side.client.other == .upstream)
        #expect(Side.upstream.other == .client)
    }
}
