import Wire

/// A stored event as folds and filters look at it.
struct ProjectedEvent {
    private let fields: EventFields
    /// The payload, parsed when it is first asked for; nil inside when it is no JSON.
    private var payload: JSONValue??

    init(_ fields: EventFields) {
        self.fields = fields
    }

    /// A value that can be folded: a text, a number or a truth value.
    mutating func scalar(_ source: ProjectionSource) -> JSONValue? {
        switch source {
        case .attribute(let name): return attribute(name).map { .string($0) }
        case .field(let name):
            return fields.value(of: name.utf8).flatMap { String(validating: $0, as: UTF8.self) }.map { .string($0) }
        case .data(let text):
            switch JSONPointer(text)?.value(in: data()) {
            case .string(let text): return .string(text)
            case .number(let text): return .number(text)
            case .bool(let truth): return .bool(truth)
            case .null, .array, .object, nil: return nil
            }
        }
    }

    /// The text of a CloudEvents attribute. It is stored as a field with the prefix `ce_`; what the sidecar injects, as
    /// it is called.
    func attribute(_ name: String) -> String? {
        if name == "specversion" { return "1.0" }
        let value =
            fields.value(of: "ce_".utf8 + Array(name.utf8))
            ?? (Self.context.contains(name) ? fields.value(of: name.utf8) : nil)
        return value.flatMap { String(validating: $0, as: UTF8.self) }
    }

    private static let context: Set<String> = ["traceparent", "tracestate", "correlationid", "causationid"]

    private mutating func data() -> JSONValue? {
        if let payload { return payload }
        let parsed = fields.value(of: "data".utf8).flatMap { bytes in
            try? JSONValue(parsing: bytes.span, limits: JSONLimits(valuesMax: 10_000))
        }
        payload = .some(parsed)
        return parsed
    }
}

/// The way to a value inside another (RFC 6901).
struct JSONPointer {
    private let steps: [String]

    /// Nil for a text that is neither empty nor begins with a slash, and for an unknown escape.
    init?(_ text: String) {
        guard text.isEmpty || text.hasPrefix("/") else { return nil }
        var steps: [String] = []
        for part in text.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            var step = ""
            var isEscape = false
            for scalar in part.unicodeScalars {
                if isEscape {
                    guard scalar == "0" || scalar == "1" else { return nil }
                    step.unicodeScalars.append(scalar == "0" ? "~" : "/")
                    isEscape = false
                } else if scalar == "~" {
                    isEscape = true
                } else {
                    step.unicodeScalars.append(scalar)
                }
            }
            if isEscape { return nil }
            steps.append(step)
        }
        self.steps = steps
    }

    /// Nil where the way leads nowhere.
    func value(in whole: JSONValue?) -> JSONValue? {
        var current = whole
        for step in steps {
            switch current {
            case .object: current = current?[step]
            case .array(let elements):
                // No leading zeros, so that each element has one name.
                guard let index = Int(step), String(index) == step, elements.indices.contains(index) else { return nil }
                current = elements[index]
            default: return nil
            }
        }
        return current
    }
}
