import Pipeline
public import Proxy
public import Resilience
public import Telemetry

/// What is tried for some destinations while their breaker is open, as an item of `resilience.rules` says it.
public struct ResilienceRule: Sendable, Equatable {
    /// Which destinations, by their whole names.
    public var destination: Glob
    /// Only those behind the listener of this name; nil for any.
    public var listener: String?
    /// What is tried for them.
    public var onOpen: FallbackPlan
}

/// A second broker, for what the upstream of a listener may not be given, as the keys `secondary.*` say it.
public struct SecondaryConfiguration: Sendable, Equatable {
    /// Nil: there is none.
    public var address: Endpoint?
    /// Whether and how connections to it are encrypted.
    public var tls = ListenerTLSConfiguration.Upstream()
    /// With what the sidecar signs in there.
    public var credentials = CredentialsConfiguration()

    /// There is none.
    public init() {}

    /// The settings as those of a listener that encrypts nothing else.
    var listenerTLS: ListenerTLSConfiguration {
        var settings = ListenerTLSConfiguration()
        settings.upstream = tls
        return settings
    }
}

/// An item of `resilience.rules` while the layers are read: what is required may still be missing.
struct ResilienceRuleDraft: ConfigurationItem {
    var destination: Glob?
    var listener: String?
    var onOpen: FallbackPlan?
    var origin = ConfigurationOrigin.builtIn
    var origins: [String: ConfigurationOrigin] = [:]
}

extension SidecarConfiguration {
    /// The steps that a listener can take at all.
    func possibleSteps(_ listener: ListenerConfiguration) -> Set<FallbackStep> {
        guard listener.upstream != .embedded else { return [] }
        guard listener.busProtocol == .redis else { return [.spool] }
        return listener.secondary.address == nil ? [.spool, .deadLetter] : [.secondary, .spool, .deadLetter]
    }

    /// What a listener does with messages that may not pass: what is configured, as far as it can.
    func fallback(_ listener: ListenerConfiguration) -> FallbackPolicy {
        let possible = possibleSteps(listener)
        func plan(_ wanted: FallbackPlan) -> FallbackPlan {
            FallbackPlan(wanted.steps.filter(possible.contains)) ?? .fail
        }
        let rules = resilience.rules.filter { $0.listener == nil || $0.listener == listener.name }
        return FallbackPolicy(
            plan(resilience.onOpen),
            rules: rules.map { FallbackPolicy.Rule(destinations: $0.destination, plan: plan($0.onOpen)) },
            deadlines: FallbackDeadlines(
                secondary: UInt64(resilience.secondaryWaitMilliseconds) * 1_000_000,
                spool: UInt64(resilience.spoolWaitMilliseconds) * 1_000_000,
                deadLetter: UInt64(resilience.asideWaitMilliseconds) * 1_000_000),
            secondary: listener.secondary.address?.broker)
    }
}

extension ValueSyntax where Value == FallbackPlan {
    /// Steps with commas between them; failing goes without saying.
    static let fallback = {
        let steps = FallbackStep.allCases.filter { $0 != .fail }
        let expected = "fail, or a list of \(steps.map(\.rawValue).joined(separator: ", ")) in the wanted order"
        return Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> FallbackPlan in
                let words = text.split(whereSeparator: { $0 == "," || $0 == " " })
                var steps: [FallbackStep] = []
                for word in words {
                    guard let step = FallbackStep(rawValue: String(word)) else {
                        throw ValueRejection(expected: expected, found: String(word))
                    }
                    guard !steps.contains(step) else {
                        throw ValueRejection("\(word) is there twice; each step is tried once")
                    }
                    guard steps.last != .fail else {
                        throw ValueRejection("\(word) stands behind fail, where nothing is tried any more")
                    }
                    steps.append(step)
                }
                guard !steps.isEmpty, let plan = FallbackPlan(steps) else {
                    throw ValueRejection(expected: expected, found: text)
                }
                return plan
            },
            show: { plan in
                let words = plan.steps.map(\.rawValue)
                return .text(words.isEmpty ? FallbackStep.fail.rawValue : words.joined(separator: ", "))
            },
            isList: true
        )
    }()
}

extension ValueSyntax where Value == Glob {
    static let glob = {
        let expected = "a name of 1 to \(Glob.bytesMax) bytes, in which * stands for any text and ? for one byte"
        return Self(
            expected: expected,
            parse: { (text) throws(ValueRejection) -> Glob in
                guard let glob = Glob(text) else { throw ValueRejection(expected: expected, found: text) }
                return glob
            },
            show: { .text($0.description) }
        )
    }()
}
