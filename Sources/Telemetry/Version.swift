/// The version that is reported to people, collectors and scrapers.
public enum TachographVersion {
    public static let text = "0.1.0"
}
