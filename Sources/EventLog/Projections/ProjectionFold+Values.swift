import Wire

/// What one event means for a projection.
enum ProjectionEffect: Equatable {
    /// It is not one of those that are taken.
    case skipped
    /// It should be taken and cannot: no key, or one that is too long.
    case unusable
    /// Its row goes.
    case deletion(key: String)
    /// Its row gets these values in these columns.
    case change(key: String, values: [(column: Int, value: JSONValue)])

    static func == (left: ProjectionEffect, right: ProjectionEffect) -> Bool {
        switch (left, right) {
        case (.skipped, .skipped), (.unusable, .unusable): true
        case (.deletion(let left), .deletion(let right)): left == right
        case (.change(let leftKey, let left), .change(let rightKey, let right)):
            leftKey == rightKey && left.elementsEqual(right) { $0 == $1 }
        default: false
        }
    }
}

extension ProjectionDefinition {
    /// Bytes of a key.
    public static let keyBytesMax = 512
    /// Bytes of a text in a column; longer ones are cut at a character.
    public static let textBytesMax = 4_096

    /// What an event means for the table.
    func effect(of fields: EventFields) -> ProjectionEffect {
        var event = ProjectedEvent(fields)
        func matches(_ filter: EventFilter?) -> Bool { filter?.matches { event.attribute($0) } ?? true }
        guard matches(filter) else { return .skipped }
        var key = ""
        if let source = self.key {
            guard let text = event.scalar(source)?.plain, text.utf8.count <= Self.keyBytesMax else { return .unusable }
            key = text
        }
        if let deletion, matches(deletion) { return .deletion(key: key) }
        var values: [(column: Int, value: JSONValue)] = []
        for (index, column) in columns.enumerated() where matches(column.condition) {
            guard let source = column.source else {
                values.append((index, 1))
                continue
            }
            guard let value = event.scalar(source) else { continue }
            values.append((index, column.fold == .count ? 1 : value))
        }
        return .change(key: key, values: values)
    }

    /// A row before its first event.
    var emptyRow: [JSONValue] {
        columns.map { $0.fold == .count || $0.fold == .sum ? 0 : .null }
    }

    /// Changes a row by the values of one event. How many of them the columns could not take.
    func fold(_ values: [(column: Int, value: JSONValue)], into row: inout [JSONValue]) -> Int {
        var unusable = 0
        for (index, value) in values {
            guard let folded = columns[index].fold.folded(row[index], value) else {
                unusable += 1
                continue
            }
            row[index] = folded
        }
        return unusable
    }
}

extension ProjectionFold {
    /// A column's value after one more; nil when it cannot take it.
    func folded(_ current: JSONValue, _ value: JSONValue) -> JSONValue? {
        switch self {
        case .count, .sum: JSONValue.sum(current, value)
        case .first: current == .null ? value.cut : current
        case .last: value.cut
        case .min: current == .null || JSONValue.isLess(value.cut, current) ? value.cut : current
        case .max: current == .null || JSONValue.isLess(current, value.cut) ? value.cut : current
        }
    }
}

extension JSONValue {
    /// The text of a scalar, without quotes.
    fileprivate var plain: String? {
        switch self {
        case .string(let text), .number(let text): text
        case .bool(let truth): truth ? "true" : "false"
        case .null, .array, .object: nil
        }
    }

    /// A text of no more than a column holds.
    fileprivate var cut: JSONValue {
        guard case .string(let text) = self, text.utf8.count > ProjectionDefinition.textBytesMax else { return self }
        var end = text.utf8.index(text.startIndex, offsetBy: ProjectionDefinition.textBytesMax)
        // Back to where a character begins.
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return .string(String(text[..<end]))
    }

    /// The sum of two numbers; a text that is a number counts as one, since fields and attributes are texts. Nil when
    /// either is none, or when their sum is beyond what a floating-point number holds.
    fileprivate static func sum(_ left: JSONValue, _ right: JSONValue) -> JSONValue? {
        if let left = left.plain.flatMap({ Int64($0) }), let right = right.plain.flatMap({ Int64($0) }) {
            let (sum, overflows) = left.addingReportingOverflow(right)
            if !overflows { return .number(String(sum)) }
        }
        guard let left = left.finite, let right = right.finite else { return nil }
        let sum = left + right
        return sum.isFinite ? .number("\(sum)") : nil
    }

    /// Numbers, and texts that are numbers, by their value and before everything else; the rest by the bytes of its text.
    fileprivate static func isLess(_ left: JSONValue, _ right: JSONValue) -> Bool {
        guard let first = left.plain, let second = right.plain else { return false }
        // Whole numbers exactly, the others as far as floating point tells them apart.
        if let first = Int64(first), let second = Int64(second) { return first < second }
        switch (left.finite, right.finite) {
        case (let first?, let second?): return first < second
        case (_?, nil): return true
        case (nil, _?): return false
        case (nil, nil): return first.utf8.lexicographicallyPrecedes(second.utf8)
        }
    }

    /// The value as a number in decimal notation; a text that is one counts.
    private var finite: Double? {
        guard let text = plain, text.utf8.allSatisfy(Self.decimalCharacters.contains), let number = Double(text),
            number.isFinite
        else { return nil }
        return number
    }

    private static let decimalCharacters = Set("0123456789+-.eE".utf8)
}
