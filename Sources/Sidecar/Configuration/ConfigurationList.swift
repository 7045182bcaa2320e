/// A list of the configuration whose items have keys of their own.
struct ConfigurationList<Item: ConfigurationItem>: Sendable {
    /// Where it stands, such as `listeners`.
    let path: String
    /// The keys of an item.
    let table: ConfigurationKeyTable<Item>
    /// Where its items go.
    let items: any WritableKeyPath<ConfigurationDraft, [Item]> & Sendable
    /// What an item is called.
    let noun: String

    /// Of the item at this position.
    func path(_ index: Int) -> String { "\(path)[\(index)]" }
}

extension ConfigurationList<ListenerDraft> {
    static let listeners = Self(
        path: ConfigurationKeys.listenersPath, table: ConfigurationKeys.listener, items: \.listeners, noun: "listener")
}

extension ConfigurationList<ResilienceRuleDraft> {
    static let rules = Self(
        path: ConfigurationKeys.rulesPath, table: ConfigurationKeys.rule, items: \.rules, noun: "rule")
}

/// An item of a list while the layers are read: what is required may still be missing.
protocol ConfigurationItem: Sendable {
    /// Where the item as a whole is written.
    var origin: ConfigurationOrigin { get set }
    /// Where each key is written, also when its value was rejected.
    var origins: [String: ConfigurationOrigin] { get set }

    init()
}

extension ConfigurationItem {
    init(origin: ConfigurationOrigin) {
        self.init()
        self.origin = origin
    }
}
