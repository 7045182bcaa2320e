/// Which events a subscriber wants: the dialects `exact`, `prefix`, `suffix`, `all`, `any` and `not` of the CloudEvents
/// Subscriptions API (https://github.com/cloudevents/spec/blob/main/subscriptions/spec.md, "Filters"). `sql` is refused.
///
/// A filter looks at attributes, the optional and the extensions included, and never at the data. An attribute that an
/// event does not have matches nothing, so its `not` matches.
public indirect enum EventFilter: Hashable, Sendable {
    /// All of the attributes have exactly these values.
    case exact([Attribute])
    /// All begin so.
    case prefix([Attribute])
    /// All end so.
    case suffix([Attribute])
    /// All of these match.
    case all([EventFilter])
    /// At least one of these matches.
    case any([EventFilter])
    /// This does not match.
    case not(EventFilter)

    /// The name of an attribute, and the text that its value is compared with.
    public struct Attribute: Hashable, Sendable {
        /// Lower-case letters and digits.
        public var name: String
        /// Never empty.
        public var text: String

        /// Both parts.
        public init(_ name: String, _ text: String) {
            self.name = name
            self.text = text
        }
    }

    /// Whether an event is wanted; `value` gives the text of an attribute by its name, or nil.
    public func matches(_ value: (String) -> String?) -> Bool {
        switch self {
        case .exact(let attributes): attributes.allSatisfy { value($0.name)?.utf8.elementsEqual($0.text.utf8) ?? false }
        case .prefix(let attributes): attributes.allSatisfy { value($0.name)?.utf8.starts(with: $0.text.utf8) ?? false }
        case .suffix(let attributes):
            attributes.allSatisfy { attribute in
                value(attribute.name)?.utf8.reversed().starts(with: attribute.text.utf8.reversed()) ?? false
            }
        case .all(let filters): filters.allSatisfy { $0.matches(value) }
        case .any(let filters): filters.contains { $0.matches(value) }
        case .not(let filter): !filter.matches(value)
        }
    }
}

/// Why a text is no filter. The texts say what was expected and repeat nothing of it.
public enum EventFilterError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not JSON.
    case json(JSONFault)
    /// Not an object, or an object with other than one member.
    case notOneDialect
    /// Another name than the six.
    case unknownDialect
    /// `exact`, `prefix` and `suffix` take an object of at least one attribute and a non-empty text each.
    case noAttributes
    /// An attribute whose name is not 1 to 64 lower-case letters and digits, or whose value is no non-empty text.
    case badAttribute
    /// `all` and `any` take an array of at least one filter.
    case noFilters
    /// Nested deeper than `EventFilter.depthMax`.
    case tooDeep
    /// More comparisons than `EventFilter.comparisonsMax`, or texts longer than `EventFilter.textBytesMax`.
    case tooLarge

    /// One sentence.
    public var description: String {
        switch self {
        case .json(let fault): "a filter is a JSON text: \(fault)"
        case .notOneDialect: "a filter is an object with one member: exact, prefix, suffix, all, any or not"
        case .unknownDialect: "unknown filter dialect; expected exact, prefix, suffix, all, any or not"
        case .noAttributes: "exact, prefix and suffix take an object with at least one attribute"
        case .badAttribute:
            "an attribute of a filter has a name of 1 to 64 lower-case letters and digits, and a text that is not empty"
        case .noFilters: "all and any take an array with at least one filter"
        case .tooDeep: "a filter is nested at most \(EventFilter.depthMax) deep"
        case .tooLarge:
            "a filter has at most \(EventFilter.comparisonsMax) comparisons, each with at most "
                + "\(EventFilter.textBytesMax) bytes"
        }
    }
}

extension EventFilter {
    /// Levels of `all`, `any` and `not`.
    public static let depthMax = 8
    /// Attributes that are looked at, in all.
    public static let comparisonsMax = 64
    /// Bytes of a text that is compared with.
    public static let textBytesMax = 1_024
    private static let nameLengthMax = 64

    /// Parses the text of one filter.
    public init(parsing text: [UInt8]) throws(EventFilterError) {
        let value: JSONValue
        do throws(JSONFault) {
            value = try JSONValue(parsing: text, limits: JSONLimits(depthMax: 2 * Self.depthMax + 4, valuesMax: 1_024))
        } catch {
            throw .json(error)
        }
        try self.init(value)
    }

    /// One filter as a JSON value; of an array, as the API's `filters` has them, all must match.
    public init(_ value: JSONValue) throws(EventFilterError) {
        var comparisons = 0
        if case .array(let values) = value {
            self = .all(try Self.filters(values, depth: 1, &comparisons))
        } else {
            self = try Self.filter(value, depth: 0, &comparisons)
        }
    }

    private static func filter(
        _ value: JSONValue, depth: Int, _ comparisons: inout Int
    ) throws(EventFilterError) -> EventFilter {
        guard depth <= depthMax else { throw .tooDeep }
        guard case .object(let members) = value, members.count == 1, let member = members.first else {
            throw .notOneDialect
        }
        switch member.name {
        case "exact": return .exact(try attributes(member.value, &comparisons))
        case "prefix": return .prefix(try attributes(member.value, &comparisons))
        case "suffix": return .suffix(try attributes(member.value, &comparisons))
        case "all", "any":
            guard case .array(let values) = member.value else { throw .noFilters }
            let filters = try filters(values, depth: depth + 1, &comparisons)
            return member.name == "all" ? .all(filters) : .any(filters)
        case "not": return .not(try filter(member.value, depth: depth + 1, &comparisons))
        default: throw .unknownDialect
        }
    }

    private static func filters(
        _ values: [JSONValue], depth: Int, _ comparisons: inout Int
    ) throws(EventFilterError) -> [EventFilter] {
        guard !values.isEmpty else { throw .noFilters }
        var filters: [EventFilter] = []
        for value in values { filters.append(try filter(value, depth: depth, &comparisons)) }
        return filters
    }

    private static func attributes(
        _ value: JSONValue, _ comparisons: inout Int
    ) throws(EventFilterError) -> [Attribute] {
        guard case .object(let members) = value, !members.isEmpty else { throw .noAttributes }
        comparisons += members.count
        guard comparisons <= comparisonsMax else { throw .tooLarge }
        var attributes: [Attribute] = []
        for member in members {
            guard case .string(let text) = member.value, !text.isEmpty, isName(member.name) else {
                throw .badAttribute
            }
            guard text.utf8.count <= textBytesMax else { throw .tooLarge }
            attributes.append(Attribute(member.name, text))
        }
        return attributes
    }

    private static func isName(_ name: String) -> Bool {
        (1...nameLengthMax).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            }
    }

    /// As the API writes it.
    public var json: JSONValue {
        func object(_ attributes: [Attribute]) -> JSONValue {
            .object(attributes.map { JSONValue.Member($0.name, .string($0.text)) })
        }
        switch self {
        case .exact(let attributes): return .object([.init("exact", object(attributes))])
        case .prefix(let attributes): return .object([.init("prefix", object(attributes))])
        case .suffix(let attributes): return .object([.init("suffix", object(attributes))])
        case .all(let filters): return .object([.init("all", .array(filters.map(\.json)))])
        case .any(let filters): return .object([.init("any", .array(filters.map(\.json)))])
        case .not(let filter): return .object([.init("not", filter.json)])
        }
    }
}
