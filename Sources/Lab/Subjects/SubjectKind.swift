import Resilience

/// Everything that can be put between client and destination.
public enum SubjectKind: String, Sendable, CaseIterable {
    case none
    case resilience4j
    case resilience4jTuned = "resilience4j-tuned"
    case hystrix
    case polly
    case envoy
    case gobreaker
    case tachographFixed = "tachograph-fixed"
    case tachographShadow = "tachograph-shadow"
    case tachographAuto = "tachograph-auto"
    case tachographBulkhead = "tachograph-bulkhead"
    case tachographTuned = "tachograph-tuned"

    /// A fresh one, for one run.
    public func make(seed: UInt64) -> any Subject {
        switch self {
        case .none: NoBreaker()
        case .resilience4j: Resilience4jBreaker()
        case .resilience4jTuned: Resilience4jBreaker(.handTuned)
        case .hystrix: HystrixBreaker()
        case .polly: PollyBreaker()
        case .envoy: EnvoyConsecutive()
        case .gobreaker: GoBreaker()
        case .tachographFixed: TachographSubject(mode: .fixed, seed: seed)
        case .tachographShadow: TachographSubject(mode: .shadow, seed: seed)
        case .tachographAuto: TachographSubject(mode: .auto, seed: seed)
        case .tachographBulkhead: TachographSubject(mode: .auto, bulkhead: 4...1_000, seed: seed)
        case .tachographTuned: TachographSubject(mode: .auto, bounds: Self.slowFloor, seed: seed)
        }
    }

    /// What the hand-tuned resilience4j was told: nothing faster than the objective is slow.
    private static let slowFloor: ParameterBounds = {
        var bounds = ParameterBounds()
        bounds.set(.slowCall, minimum: Double(Evaluation.objectiveNanoseconds) / 1e9, maximum: nil)
        return bounds
    }()

    /// One of the breakers as they come, with nothing set by hand.
    public var isFixedDefault: Bool {
        switch self {
        case .resilience4j, .hystrix, .polly, .envoy, .gobreaker: true
        default: false
        }
    }
}
