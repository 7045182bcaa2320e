import TestSupport
import Testing

@testable import Telemetry

@Suite("Sampler")
struct SamplerTests {
    /// The check values of the specification.
    @Test(
        "A ratio becomes the threshold text of the specification",
        arguments: [
            (1.0, "ot=th:0"), (0.5, "ot=th:8"), (0.25, "ot=th:c"), (0.1, "ot=th:e666"), (0.01, "ot=th:fd70a"),
            (0.001, "ot=th:ffbe77"), (0.0001, "ot=th:fff9724"), (1.0 / 3, "ot=th:aaab"),
        ])
    func thresholdText(ratio: Double, text: String) {
        #expect(Sampler(.ratio(ratio)).traceState == text)
    }

    @Test("A trace is kept when its randomness reaches the threshold")
    func boundary() {
        let half = Sampler(.ratio(0.5))
        #expect(half.keepsRoot(TraceID(high: 7, low: 0x0080_0000_0000_0000)))
        #expect(!half.keepsRoot(TraceID(high: 7, low: 0x007f_ffff_ffff_ffff)))
        // The first byte of the low word is no part of the randomness.
        #expect(!half.keepsRoot(TraceID(high: 7, low: 0xff00_0000_0000_0000)))
    }

    @Test("The ends of the range keep everything and nothing", arguments: [0, 1, 0x00ff_ffff_ffff_ffff] as [UInt64])
    func ends(low: UInt64) {
        let trace = TraceID(high: 1, low: low)
        #expect(Sampler(.alwaysOn).keepsRoot(trace))
        #expect(Sampler(.ratio(1)).keepsRoot(trace))
        #expect(Sampler(.ratio(7)).keepsRoot(trace))
        for choice in [SamplerChoice.alwaysOff, .ratio(0), .ratio(-1), .ratio(.nan), .ratio(1e-300)] {
            #expect(!Sampler(choice).keepsRoot(trace))
            #expect(Sampler(choice).traceState == nil)
        }
    }

    @Test("The smallest ratio keeps exactly the largest randomness")
    func smallest() {
        let sampler = Sampler(.ratio(0x1p-56))
        #expect(sampler.keepsRoot(TraceID(high: 0, low: 0x00ff_ffff_ffff_ffff)))
        #expect(!sampler.keepsRoot(TraceID(high: 0, low: 0x00ff_ffff_ffff_fffe)))
        #expect(sampler.traceState == "ot=th:ffffffffffffff")
    }

    @Test("With a parent-based sampler the context's flag decides, and the root sampler where there is none")
    func parentBased() {
        let sampler = Sampler(.parentBased(root: .alwaysOff))
        let trace = TraceID(high: 1, low: 2)
        #expect(sampler.keeps(childOf: TraceContext(traceID: trace, spanID: SpanID(3), flags: .sampled)))
        #expect(!sampler.keeps(childOf: TraceContext(traceID: trace, spanID: SpanID(3), flags: .random)))
        #expect(!sampler.keepsRoot(trace))
        let nested = Sampler(.parentBased(root: .parentBased(root: .ratio(0.5))))
        #expect(nested.traceState == "ot=th:8")
    }

    @Test("Without parent-based, the trace id alone decides under a context too")
    func notParentBased() {
        let context = TraceContext(traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), flags: [])
        #expect(Sampler(.alwaysOn).keeps(childOf: context))
        #expect(!Sampler(.ratio(0.5)).keeps(childOf: context))
    }

    @Test("The kept share of random ids lies near the ratio", arguments: [0.5, 0.1, 0.01])
    func share(ratio: Double) {
        let sampler = Sampler(.ratio(ratio))
        var random = SeededGenerator(seed: 42)
        var kept = 0
        let total = 200_000
        for _ in 0..<total {
            if sampler.keepsRoot(TraceID(high: 1, low: random.next())) { kept += 1 }
        }
        let expected = ratio * Double(total)
        let sigma = (expected * (1 - ratio)).squareRoot()
        #expect(abs(Double(kept) - expected) < 5 * sigma)
    }
}
