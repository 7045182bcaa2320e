/// The version that is reported to people, collectors and scrapers.
public enum TachographVersion {
    /// Semantic version.
    public static let text = "0.1.0"
}
