/// Why a message counts as given up: `tacho.dead_letter.reason` on its span and `reason` of `tacho_dead_letters_total`.
public enum DeadLetterReason: UInt8, Sendable, Hashable, CaseIterable {
    /// It does not.
    case none
    /// It was sent to a destination whose name says that dead letters are kept there.
    case published
    /// It was delivered as often as the broker permits, and the broker has said so.
    case maxDeliveries
    /// Its consumer has said that it is not to be delivered again.
    case terminated
    /// Its last permitted delivery came to nothing; the broker has not said so.
    case inferred

    /// The word in attributes and labels.
    public var text: String {
        switch self {
        case .none: ""
        case .published: "published"
        case .maxDeliveries: "max_deliveries"
        case .terminated: "terminated"
        case .inferred: "inferred"
        }
    }
}
