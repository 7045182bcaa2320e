public import Resilience

/// An `Admission` in one machine word, so that it can be published and read without a lock.
///
/// The two highest bits tell the case; zero admits all, which is what the path asks first.
public enum AdmissionWord {
    /// Every call passes.
    public static let all: UInt64 = 0

    private static let kindShift: UInt64 = 62
    private static let payloadMask: UInt64 = (1 << 62) - 1
    private static let noneKind: UInt64 = 1
    private static let probesKind: UInt64 = 2
    private static let shareKind: UInt64 = 3
    /// The whole of a share.
    static let shareUnit: UInt64 = 1 << 32

    /// The word of an admission. A share that is no number admits nothing.
    public static func encode(_ admission: Admission) -> UInt64 {
        switch admission {
        case .all: all
        case .none(let retryAt): noneKind << kindShift | min(retryAt, payloadMask)
        case .probes(let most): probesKind << kindShift | UInt64(clamping: max(0, most)) & payloadMask
        case .share(let share):
            shareKind << kindShift | (share >= 1 ? shareUnit : share > 0 ? UInt64(share * Double(shareUnit)) : 0)
        }
    }

    /// The share of a word whose case is `share`, in parts of `shareUnit`.
    static func share(_ word: UInt64) -> UInt64 { word & payloadMask }

    /// The admission of a word.
    public static func decode(_ word: UInt64) -> Admission {
        let payload = word & payloadMask
        switch word >> kindShift {
        case noneKind: return .none(retryAtNanoseconds: payload)
        case probesKind: return .probes(most: Int(payload))
        case shareKind: return .share(Double(payload) / Double(shareUnit))
        default: return .all
        }
    }
}
