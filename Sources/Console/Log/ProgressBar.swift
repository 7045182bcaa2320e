import Foundation

/// Says how far long work is: a bar that is drawn over itself on a terminal, else a line now and then.
public struct ProgressBar: Sendable {
    private let title: String
    private let isTerminal: Bool
    private var lastSeconds: Double?

    private static let width = 24
    /// Between two lines where nobody watches.
    private static let pauseSeconds = 5.0
    /// Between two drawings of the bar.
    private static let frameSeconds = 0.1

    /// A bar with what is done in front of it, for a terminal or not.
    public init(_ title: String, isTerminal: Bool) {
        self.title = title
        self.isTerminal = isTerminal
    }

    /// What to print for this much of the whole at a moment of any clock; nil for nothing. On a terminal it has no end
    /// of line and begins by going back to the start of its own.
    public mutating func text(done: Int64, of whole: Int64, atSeconds now: Double) -> String? {
        let share = whole > 0 ? min(max(Double(done) / Double(whole), 0), 1) : 1
        let percent = String(repeating: " ", count: share < 0.1 ? 2 : share < 1 ? 1 : 0) + "\(Int(share * 100)) %"
        guard isTerminal else {
            // The first line only after a while: what is quick needs none.
            guard let last = lastSeconds else {
                lastSeconds = now
                return nil
            }
            guard now - last >= Self.pauseSeconds else { return nil }
            lastSeconds = now
            return "\(title): \(percent.trimmingCharacters(in: .whitespaces))\n"
        }
        if let last = lastSeconds, now - last < Self.frameSeconds, share < 1 { return nil }
        lastSeconds = now
        let full = Int(share * Double(Self.width))
        let bar = String(repeating: "#", count: full) + String(repeating: ".", count: Self.width - full)
        return "\r\(title) [\(bar)] \(percent)"
    }

    /// What makes room for the next line.
    public mutating func end() -> String? {
        defer { lastSeconds = nil }
        return isTerminal && lastSeconds != nil ? "\r" + String(repeating: " ", count: title.count + 40) + "\r" : nil
    }
}

/// A progress bar on standard error.
final class ProgressOutput {
    private var bar: ProgressBar

    init(_ title: String) {
        let environment = ProcessInfo.processInfo.environment
        bar = ProgressBar(title, isTerminal: isatty(STDERR_FILENO) == 1 && environment["TERM"] != "dumb")
    }

    func show(done: Int64, of whole: Int64) {
        print(bar.text(done: done, of: whole, atSeconds: ProcessInfo.processInfo.systemUptime))
    }

    func end() { print(bar.end()) }

    private func print(_ text: String?) {
        if let text { FileHandle.standardError.write(Data(text.utf8)) }
    }
}
