/// What this build is.
public enum Tachograph {
    /// The version of the product, as semantic versioning counts.
    public static let version = "0.1.0"
}
