/// Turns a configuration into running services.
public enum Topology {
    /// The services of this configuration cannot be started.
    public struct Unavailable: Error, CustomStringConvertible {
        /// What is missing.
        public let description: String
    }

    /// Starts everything, returns after a drain.
    public static func run(configuration: SidecarConfiguration, environment: [String: String]) async throws {
        throw Unavailable(description: "this build has no services to run; `tacho check` works")
    }
}
