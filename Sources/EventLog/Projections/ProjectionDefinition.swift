public import Wire

/// What a projection makes of a stream: which events it takes, which row of its table an event belongs to, and what each
/// column does with it. As JSON:
///
/// ```json
/// {"stream": "orders", "key": {"data": "/customer"},
///  "filter": {"prefix": {"type": "order."}}, "delete": {"exact": {"type": "order.forgotten"}},
///  "columns": {"orders": {"fold": "count"},
///              "paid": {"fold": "sum", "of": {"data": "/amount"}, "where": {"exact": {"type": "order.paid"}}}}}
/// ```
public struct ProjectionDefinition: Hashable, Sendable {
    /// The stream that is folded.
    public var stream: String
    /// Events that are taken; nil takes all.
    public var filter: EventFilter?
    /// Names the row of an event; nil for one row only, with an empty key.
    public var key: ProjectionSource?
    /// Events that remove their row.
    public var deletion: EventFilter?
    /// In the order in which they are shown.
    public var columns: [Column]

    /// One value of each row.
    public struct Column: Hashable, Sendable {
        /// 1 to 64 letters, digits and underscores.
        public var name: String
        /// How a further event changes the value.
        public var fold: ProjectionFold
        /// Of what; nil for `count` only.
        public var source: ProjectionSource?
        /// Events that change it; nil for all.
        public var condition: EventFilter?

        /// All parts.
        public init(_ name: String, _ fold: ProjectionFold, of source: ProjectionSource?, where condition: EventFilter?)
        {
            self.name = name
            self.fold = fold
            self.source = source
            self.condition = condition
        }
    }

    /// All parts.
    public init(
        stream: String, filter: EventFilter? = nil, key: ProjectionSource? = nil, deletion: EventFilter? = nil,
        columns: [Column]
    ) {
        self.stream = stream
        self.filter = filter
        self.key = key
        self.deletion = deletion
        self.columns = columns
    }
}

/// Where a value stands in an event.
public enum ProjectionSource: Hashable, Sendable {
    /// A CloudEvents attribute.
    case attribute(String)
    /// A field of the entry, by the name that Redis clients see.
    case field(String)
    /// A member of the payload, which is JSON: a JSON Pointer (RFC 6901).
    case data(String)
}

/// What a column does with the values of one row's events, in their order.
public enum ProjectionFold: String, Hashable, Sendable, CaseIterable {
    /// How many events; with `of`, how many that have such a value.
    case count
    /// The sum of numbers: exact while all are whole and fit 64 bits.
    case sum
    /// The least: numbers before texts, texts by their bytes.
    case min
    /// The greatest, in the same order.
    case max
    /// The value of the first event that has one.
    case first
    /// The value of the last event that has one.
    case last
}

/// Why a definition is refused. The texts repeat nothing of it.
public enum ProjectionProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not JSON.
    case json(JSONFault)
    /// A member is missing, or there is one too many, or it has the wrong type: what was expected, and of what.
    case expected(String)
    /// A filter in it is none.
    case filter(EventFilterError)

    /// One sentence.
    public var description: String {
        switch self {
        case .json(let fault): "a projection is a JSON object: \(fault)"
        case .expected(let text): text
        case .filter(let error): "\(error)"
        }
    }
}

extension ProjectionDefinition {
    /// Columns that a projection may have.
    public static let columnsMax = 32
    private static let nameBytesMax = 64
    private static let sourceBytesMax = 256
    private static let streamBytesMax = 512

    /// Whether a projection or a column may be called so: 1 to 64 letters, digits, `-`, `.` and `_`.
    public static func isName(_ name: String) -> Bool {
        (1...nameBytesMax).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    /// Parses the text of a definition.
    public init(parsing text: [UInt8]) throws(ProjectionProblem) {
        let value: JSONValue
        do throws(JSONFault) {
            value = try JSONValue(parsing: text, limits: JSONLimits(depthMax: 32, valuesMax: 4_096))
        } catch {
            throw .json(error)
        }
        try self.init(value)
    }

    /// Reads a definition.
    public init(_ value: JSONValue) throws(ProjectionProblem) {
        let members = try Self.members(
            of: value, named: ["stream", "filter", "key", "delete", "columns"], "a projection")
        guard let stream = members["stream"]?.text, (1...Self.streamBytesMax).contains(stream.utf8.count) else {
            throw .expected("stream: the name of a stream, of at most \(Self.streamBytesMax) bytes")
        }
        guard case .object(let columns) = members["columns"], (1...Self.columnsMax).contains(columns.count) else {
            throw .expected("columns: an object with 1 to \(Self.columnsMax) columns")
        }
        self.stream = stream
        filter = try Self.filter(members["filter"])
        deletion = try Self.filter(members["delete"])
        key = try Self.source(members["key"])
        self.columns = []
        for column in columns { self.columns.append(try Self.column(column)) }
    }

    private static func column(_ member: JSONValue.Member) throws(ProjectionProblem) -> Column {
        guard isName(member.name) else {
            throw .expected("the name of a column has 1 to \(nameBytesMax) letters, digits, and any of - . _")
        }
        let members = try members(of: member.value, named: ["fold", "of", "where"], "a column")
        let names = ProjectionFold.allCases.map(\.rawValue).joined(separator: ", ")
        guard let fold = members["fold"]?.text.flatMap({ ProjectionFold(rawValue: $0) }) else {
            throw .expected("fold: one of \(names)")
        }
        let source = try source(members["of"])
        guard source != nil || fold == .count else { throw .expected("of: every fold but count folds a value") }
        return Column(member.name, fold, of: source, where: try filter(members["where"]))
    }

    private static func source(_ value: JSONValue?) throws(ProjectionProblem) -> ProjectionSource? {
        guard let value else { return nil }
        let expected = ProjectionProblem.expected(
            "a value is found by one of {\"attribute\": NAME}, {\"field\": NAME} and {\"data\": POINTER}, each of at most "
                + "\(sourceBytesMax) bytes")
        guard case .object(let members) = value, members.count == 1, let text = members[0].value.text,
            text.utf8.count <= sourceBytesMax
        else { throw expected }
        switch members[0].name {
        case "attribute" where !text.isEmpty: return .attribute(text)
        case "field" where !text.isEmpty: return .field(text)
        case "data":
            guard JSONPointer(text) != nil else {
                throw .expected("data: a JSON pointer (RFC 6901), empty or beginning with a slash")
            }
            return .data(text)
        default: throw expected
        }
    }

    private static func filter(_ value: JSONValue?) throws(ProjectionProblem) -> EventFilter? {
        guard let value else { return nil }
        do throws(EventFilterError) {
            return try EventFilter(value)
        } catch {
            throw .filter(error)
        }
    }

    private static func members(
        of value: JSONValue, named names: [String], _ what: String
    ) throws(ProjectionProblem) -> [String: JSONValue] {
        guard case .object(let members) = value, members.allSatisfy({ names.contains($0.name) }) else {
            throw .expected("\(what) is an object with the members \(names.joined(separator: ", "))")
        }
        return Dictionary(members.map { ($0.name, $0.value) }) { first, _ in first }
    }

    /// As it is read.
    public var json: JSONValue {
        var members: [JSONValue.Member] = [.init("stream", .string(stream))]
        if let key { members.append(.init("key", key.json)) }
        if let filter { members.append(.init("filter", filter.json)) }
        if let deletion { members.append(.init("delete", deletion.json)) }
        let columns = columns.map { column in
            var members: [JSONValue.Member] = [.init("fold", .string(column.fold.rawValue))]
            if let source = column.source { members.append(.init("of", source.json)) }
            if let condition = column.condition { members.append(.init("where", condition.json)) }
            return JSONValue.Member(column.name, .object(members))
        }
        members.append(.init("columns", .object(columns)))
        return .object(members)
    }
}

extension ProjectionSource {
    fileprivate var json: JSONValue {
        switch self {
        case .attribute(let name): .object([.init("attribute", .string(name))])
        case .field(let name): .object([.init("field", .string(name))])
        case .data(let pointer): .object([.init("data", .string(pointer))])
        }
    }
}
