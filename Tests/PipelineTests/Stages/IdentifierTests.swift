import Telemetry
import Testing

@testable import Pipeline

/// Ids, and the mark by which injected contexts are known again.
@Suite struct IdentifierTests {
    /// The first numbers of xoshiro256** from the state 1, 2, 3, 4, as other implementations give them.
    @Test func theGeneratorIsTheKnownOne() {
        var source = IdentifierSource(seed: (1, 2, 3, 4))
        #expect(
            (0..<6).map { _ in source.next() }
                == [
                    11_520, 0, 1_509_978_240, 1_215_971_899_390_074_240, 1_216_172_134_540_287_360,
                    607_988_272_756_665_600,
                ]
        )
    }

    @Test func anEmptySeedIsReplaced() {
        var empty = IdentifierSource(seed: (0, 0, 0, 0))
        var replacement = IdentifierSource(seed: (1, 2, 3, 4))
        #expect(empty.next() == replacement.next())
    }

    @Test func idsAreNeverZero() {
        // The second number of this seed is zero.
        var source = IdentifierSource(seed: (1, 2, 3, 4))
        _ = source.next()
        #expect(source.spanID() == SpanID(1))
        #expect(InjectionMark.mark(0, in: TraceID(high: 1, low: 2)).isValid)
    }

    @Test func anOwnMarkIsAlwaysKnown() {
        var source = IdentifierSource(seed: (5, 6, 7, 8))
        for _ in 0..<100_000 {
            let traceID = source.traceID()
            let context = TraceContext(traceID: traceID, spanID: source.markedSpanID(in: traceID), flags: .sampled)
            #expect(context.spanID.isValid)
            guard InjectionMark.isPresent(in: context) else {
                Issue.record("not known again: \(context)")
                return
            }
        }
    }

    /// One in 2^24 passes by accident: of 100,000 none is expected, and more than one is no accident.
    @Test func aForeignContextHasNoMark() {
        var source = IdentifierSource(seed: (9, 10, 11, 12))
        var known = 0
        for _ in 0..<100_000 {
            let context = TraceContext(traceID: source.traceID(), spanID: source.spanID(), flags: .sampled)
            if InjectionMark.isPresent(in: context) { known += 1 }
        }
        #expect(known <= 1)
    }

    @Test func theMarkBelongsToItsTrace() {
        var source = IdentifierSource(seed: (13, 14, 15, 16))
        var known = 0
        for _ in 0..<10_000 {
            let spanID = source.markedSpanID(in: source.traceID())
            for bit in [0, 17, 63] {
                let other = SpanID(spanID.value ^ 1 << UInt64(bit))
                let traceID = source.traceID()
                if InjectionMark.isPresent(in: TraceContext(traceID: traceID, spanID: other, flags: [])) { known += 1 }
            }
        }
        #expect(known <= 1)
    }

    @Test func durationsDoNotRunBackwards() {
        let early = Instant(monotonicNanoseconds: 5, unixNanoseconds: 100)
        let late = Instant(monotonicNanoseconds: 9, unixNanoseconds: 1)
        #expect(late.nanoseconds(since: early) == 4)
        #expect(early.nanoseconds(since: late) == 0)
    }
}
