import Hummingbird
import Telemetry

/// Reads the parameters of one request: unknown names are mistakes, and so are values that do not fit.
struct AdminQuery {
    private let parameters: Parameters

    /// - Parameter known: the names that this resource takes.
    init(_ request: Request, known: [String]) throws(GatewayProblem) {
        parameters = request.uri.queryParameters
        for (name, _) in parameters where !known.contains(String(name)) {
            throw .badQuery("unknown query parameter; this resource takes \(known.joined(separator: ", "))")
        }
    }

    func text(_ name: String) -> String? {
        parameters.get(name)
    }

    func number(_ name: String, in range: ClosedRange<Int>, default standard: Int) throws(GatewayProblem) -> Int {
        guard let text = parameters.get(name) else { return standard }
        guard let number = Int(text), range.contains(number) else {
            throw .badQuery("\(name): expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Milliseconds, perhaps with a fraction, as nanoseconds; at most a day.
    func milliseconds(_ name: String) throws(GatewayProblem) -> UInt64? {
        guard let text = parameters.get(name) else { return nil }
        guard let number = Double(text), (0...86_400_000).contains(number) else {
            throw .badQuery("\(name): expected a number from 0 to 86400000")
        }
        return UInt64(number * 1_000_000)
    }

    /// A time, in milliseconds since 1970.
    func moment(_ name: String) throws(GatewayProblem) -> Int64? {
        guard let text = parameters.get(name) else { return nil }
        guard let milliseconds = Int64(text), milliseconds >= 0 else {
            throw .badQuery("\(name): expected a time in milliseconds since 1970")
        }
        return milliseconds
    }

    func glob(_ name: String) throws(GatewayProblem) -> Glob? {
        guard let text = parameters.get(name) else { return nil }
        guard let glob = Glob(text) else {
            throw .badQuery("\(name): expected a name of 1 to \(Glob.bytesMax) bytes, with * and ? as wildcards")
        }
        return glob
    }

    func outcome(_ name: String) throws(GatewayProblem) -> TapOutcome? {
        guard let text = parameters.get(name) else { return nil }
        guard let outcome = TapOutcome(rawValue: text) else {
            let words = TapOutcome.allCases.map(\.rawValue).joined(separator: ", ")
            throw .badQuery("\(name): expected one of \(words)")
        }
        return outcome
    }
}
