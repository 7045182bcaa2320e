import Resilience

/// The keys of what is tried for messages that may not pass.
extension ConfigurationKeys {
    /// Each item of `resilience.rules`; the first whose `destination` fits decides.
    static let rule = ConfigurationKeyTable<ResilienceRuleDraft>(keys: [
        ConfigurationKey(
            "destination", \.destination, ValueSyntax.glob.optional(), default: "required",
            "the destinations that the rule is for"),
        ConfigurationKey(
            "listener", \.listener, ValueSyntax.text("a name", maximumBytes: 64).optional(), default: "any",
            "the name of the listener that it is for"),
        ConfigurationKey(
            "on_open", \.onOpen, ValueSyntax.fallback.optional(), default: "required",
            "what takes the place of `resilience.on_open` for them"),
    ])

    /// How far the steps go, beside the spool.
    static let fallback: [ConfigurationKey<SidecarConfiguration>] = [
        ConfigurationKey(
            "resilience.secondary.connect_milliseconds", \.resilience.secondaryConnectMilliseconds, .number(1...60_000),
            "milliseconds that a connection to a listener's `secondary` may take to open"),
        ConfigurationKey(
            "resilience.secondary.wait_milliseconds", \.resilience.secondaryWaitMilliseconds, .number(1...60_000),
            "milliseconds that a client waits for the secondary before the next step is tried, or it gets an error"),
        ConfigurationKey(
            "resilience.aside.messages", \.resilience.asideMessages, .number(1...100_000_000),
            "messages that `dead_letter` may keep aside for people; for more, the next step is tried"),
        ConfigurationKey(
            "resilience.aside.bytes", \.resilience.asideBytes, .bytes(65_536...1_099_511_627_776),
            "bytes of messages that `dead_letter` may keep aside; for more, the next step is tried"),
        ConfigurationKey(
            "resilience.aside.wait_milliseconds", \.resilience.asideWaitMilliseconds, .number(1...60_000),
            "milliseconds that a client waits for the disk there before the next step is tried, or it gets an error"),
    ]
}
