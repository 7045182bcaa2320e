package import Wire

/// The members of a JSON object that somebody has sent: what is missing, of another kind or not known is a mistake that
/// is named.
package struct JSONMembersReader {
    private let value: JSONValue
    /// Names in messages begin with it.
    private let path: String

    /// The object in a body.
    package init(_ bytes: [UInt8], known: [String]) throws(GatewayProblem) {
        do throws(JSONFault) {
            value = try JSONValue(parsing: bytes.span)
        } catch {
            throw .badQuery("the body is not JSON: \(error)")
        }
        path = ""
        try check(known)
    }

    private init(_ value: JSONValue, path: String, known: [String]) throws(GatewayProblem) {
        self.value = value
        self.path = path
        try check(known)
    }

    private func check(_ known: [String]) throws(GatewayProblem) {
        guard case .object(let members) = value else {
            throw .badQuery(path.isEmpty ? "the body must be a JSON object" : "\(path.dropLast()): expected an object")
        }
        for member in members where !known.contains(member.name) {
            throw .badQuery(
                "unknown member; \(path.isEmpty ? "the body" : String(path.dropLast())) takes \(known.joined(separator: ", "))"
            )
        }
    }

    /// A mistake in a member.
    package func mistake(_ name: String, _ expected: String) -> GatewayProblem {
        .badQuery("\(path)\(name): expected \(expected)")
    }

    package subscript(name: String) -> JSONValue? {
        value[name].flatMap { $0 == .null ? nil : $0 }
    }

    /// Whether the member is there, as null or anything else.
    package func names(_ name: String) -> Bool { value[name] != nil }

    package func object(_ name: String, known: String...) throws(GatewayProblem) -> JSONMembersReader? {
        guard let value = self[name] else { return nil }
        return try JSONMembersReader(value, path: "\(path)\(name).", known: known)
    }

    package func text(_ name: String) throws(GatewayProblem) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.text, !text.isEmpty else { throw mistake(name, "a text that is not empty") }
        return text
    }

    package func required(_ name: String) throws(GatewayProblem) -> String {
        guard let text = try text(name) else { throw mistake(name, "a text; it is required") }
        return text
    }

    package func flag(_ name: String) throws(GatewayProblem) -> Bool? {
        guard let value = self[name] else { return nil }
        guard let flag = value.truth else { throw mistake(name, "true or false") }
        return flag
    }

    package func number(_ name: String, in range: ClosedRange<Int64>) throws(GatewayProblem) -> Int64? {
        guard let value = self[name] else { return nil }
        guard let number = value.integer, range.contains(number) else {
            throw mistake(name, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    package func decimal(_ name: String, in range: ClosedRange<Double>) throws(GatewayProblem) -> Double? {
        guard let value = self[name] else { return nil }
        guard let number = value.double, range.contains(number) else {
            throw mistake(name, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    package func numbers(_ name: String, in range: ClosedRange<Int64>, atMost: Int) throws(GatewayProblem) -> [Int64]? {
        guard let value = self[name] else { return nil }
        let expected = "up to \(atMost) whole numbers from \(range.lowerBound) to \(range.upperBound)"
        guard case .array(let values) = value, values.count <= atMost else { throw mistake(name, expected) }
        var numbers: [Int64] = []
        for value in values {
            guard let number = value.integer, range.contains(number) else { throw mistake(name, expected) }
            numbers.append(number)
        }
        return numbers
    }

    package func list(_ name: String, atMost: Int) throws(GatewayProblem) -> [JSONValue]? {
        guard let value = self[name] else { return nil }
        guard case .array(let values) = value, values.count <= atMost else {
            throw mistake(name, "a list of at most \(atMost)")
        }
        return values
    }

    /// Members of an element of a list.
    package func element(_ value: JSONValue, _ name: String, _ index: Int, known: String...) throws(GatewayProblem)
        -> JSONMembersReader
    {
        try JSONMembersReader(value, path: "\(path)\(name)[\(index)].", known: known)
    }
}
