/// Numbers as text, always the same way.
enum Decimal {
    /// At most so many digits after the point, without zeros at the end.
    static func text(_ value: Double, digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 1e15 else { return "\(value)" }
        let whole = Int(scaled / scale)
        let fraction = Int(scaled) - whole * Int(scale)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard fraction > 0 else { return "\(sign)\(whole)" }
        var tail = String(fraction)
        tail = String(repeating: "0", count: digits - tail.count) + tail
        while tail.hasSuffix("0") { tail.removeLast() }
        return "\(sign)\(whole).\(tail)"
    }
}
