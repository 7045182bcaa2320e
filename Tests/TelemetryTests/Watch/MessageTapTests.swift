import Testing

@testable import Telemetry

@Suite("The tap")
struct MessageTapTests {
    let world = WatchWorld()

    @Test func watchedWhileASubscriptionLives() {
        let tap = MessageTap(catalog: world.catalog)
        #expect(!tap.isWatched)
        var first = tap.watch(TapFilter())
        var second = tap.watch(TapFilter())
        #expect(tap.isWatched && first != nil)
        first = nil
        #expect(tap.isWatched && second != nil)
        second = nil
        #expect(!tap.isWatched)
        tap.emit(world.event())
    }

    @Test func everyWatcherSeesEverythingOnce() throws {
        let tap = MessageTap(catalog: world.catalog)
        let first = try #require(tap.watch(TapFilter()))
        tap.emit(world.event(.published))
        let second = try #require(tap.watch(TapFilter()))
        tap.emit(world.event(.delivered))
        #expect(first.take().events.map(\.stage) == [.published, .delivered])
        #expect(first.take().events.isEmpty)
        #expect(second.take().events.map(\.stage) == [.delivered])
    }

    @Test func tooManyWatchersAreRefused() {
        let tap = MessageTap(catalog: world.catalog)
        var subscriptions = (0..<MessageTap.watchersMax).map { _ in tap.watch(TapFilter()) }
        #expect(subscriptions.allSatisfy { $0 != nil })
        #expect(tap.watch(TapFilter()) == nil)
        subscriptions.removeLast()
        #expect(tap.watch(TapFilter()) != nil)
    }

    @Test func theRateIsCountedInSecondsOfTheEvents() throws {
        let tap = MessageTap(catalog: world.catalog)
        let watcher = try #require(tap.watch(TapFilter(limitPerSecond: 2)))
        for second: UInt64 in [0, 0, 0, 0, 1, 1, 1, 2] { tap.emit(world.event(seconds: second)) }
        var taken = watcher.take()
        #expect(taken.events.count == 5)
        #expect(taken.lost == TapLoss(skipped: 3))
        tap.emit(world.event(seconds: 2))
        tap.emit(world.event(seconds: 2))
        taken = watcher.take()
        #expect(taken.events.count == 1)
        #expect(taken.lost == TapLoss(skipped: 1))
        #expect(watcher.take().lost.isNone)
    }

    @Test func aSlowReaderLosesAndIsTold() {
        var buffer = TapBuffer(limitPerSecond: 10, capacity: 3)
        for second in 0..<5 { buffer.append(world.event(seconds: UInt64(second))) }
        let taken = buffer.take()
        #expect(taken.events.count == 3)
        #expect(taken.lost == TapLoss(skipped: 0, dropped: 2))
    }

    @Test func destinationsAndTemplatesByPattern() throws {
        let tap = MessageTap(catalog: world.catalog)
        let watcher = try #require(tap.watch(TapFilter(destination: Glob("ord*"))))
        for destination in ["orders", "payments", "orders", "reorder"] {
            tap.emit(world.event(.published, destination))
        }
        tap.emit(world.event(.pushed, "news.sport", template: "ord?n"))
        tap.emit(world.event(.pushed, "news.sport", template: "orden"))
        tap.emit(world.event(.pushed, "news.sport", template: "news.*"))
        #expect(watcher.take().events.map(\.stage) == [.published, .published, .pushed, .pushed])
    }

    @Test func outcomes() {
        var event = world.event(.settled)
        func admitted(_ event: TapEvent) -> [TapOutcome] {
            TapOutcome.allCases.filter { TapFilter(outcome: $0).admits(event) }
        }
        #expect(admitted(event) == [.ok])
        event.outcome = .acknowledged
        #expect(admitted(event) == [.ok])
        event.outcome = .redelivered
        #expect(admitted(event) == [.redelivered])
        event.outcome = .unremarkable
        event.error = world.names.intern("NOGROUP")
        #expect(admitted(event) == [.error])
        event.outcome = .disconnected
        #expect(admitted(event) == [.error, .disconnected])
    }

    @Test func slownessIsTheLongestOfItsTimes() {
        let filter = TapFilter(slowerThanNanoseconds: 1_000)
        var event = world.event()
        #expect(!filter.admits(event), "nothing is known of its times")
        event.durationNanoseconds = 999
        #expect(!filter.admits(event))
        event.queueNanoseconds = 1_000
        #expect(filter.admits(event))
        event.queueNanoseconds = -5_000
        #expect(!filter.admits(event))
        #expect(TapFilter(slowerThanNanoseconds: 0).admits(event))
    }

    @Test(arguments: [
        ("orders", "orders", true), ("orders", "order", false), ("*", "", true), ("*", "anything", true),
        ("ord*", "orders", true), ("*ers", "orders", true), ("o*d*s", "orders", true), ("o*x*s", "orders", false),
        ("o?ders", "orders", true), ("o?ders", "oders", false), ("a*b*c", "aXbXbXc", true), ("**", "x", true),
        ("a*", "b", false), ("*a", "aab", false), ("*ab", "aab", true),
    ])
    func patterns(_ pattern: String, _ name: String, _ fits: Bool) {
        #expect(Glob(pattern)?.matches(name) == fits)
    }

    @Test func patternsHaveALength() {
        #expect(Glob("") == nil)
        #expect(Glob(String(repeating: "*", count: 257)) == nil)
        // Many wildcards stay cheap.
        #expect(Glob(String(repeating: "*a", count: 128))?.matches(String(repeating: "a", count: 4_096) + "b") == false)
    }
}
