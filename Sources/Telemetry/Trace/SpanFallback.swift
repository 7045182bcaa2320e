/// Who took a publish that its upstream was not given (`tacho.fallback.step`).
public enum SpanFallback: UInt8, Sendable, Hashable, CaseIterable {
    /// The upstream was given it, or nothing else was to be tried.
    case none
    /// Another broker.
    case secondary
    /// Our own disk, to be sent on later.
    case spool
    /// Our own disk, for people.
    case deadLetter
    /// Others were tried, and nobody took it.
    case fail

    /// The word in the attribute.
    public var text: String {
        switch self {
        case .none: ""
        case .secondary: "secondary"
        case .spool: "spool"
        case .deadLetter: "dead_letter"
        case .fail: "fail"
        }
    }
}
