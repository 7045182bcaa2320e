import EventLog
import Foundation

/// Keeps a copy of a log at most so many seconds behind, until it is interrupted.
///
/// A step copies what was committed before it began, so the copy is as far behind as the beginning of the last step that
/// ended. Steps begin twice in the time that is allowed.
public struct CopyLoop {
    private let source: String
    private let target: String
    private let lagMaxSeconds: Double
    private let view: LogView
    private let show: (String) -> Void
    private let complain: (String) -> Void

    /// `show` takes what was done, `complain` what is wrong.
    public init(
        _ path: String, to target: String, lagMaxSeconds: Double, _ view: LogView,
        show: @escaping (String) -> Void, complain: @escaping (String) -> Void
    ) throws(AdminError) {
        source = try LogPlace.existing(path)
        self.target = target
        self.lagMaxSeconds = lagMaxSeconds
        self.view = view
        self.show = show
        self.complain = complain
    }

    /// Copies until SIGINT or SIGTERM, and once more then.
    public func run() throws {
        try FileManager.default.createDirectory(
            atPath: target, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let copy = try ContinuousCopy(of: source, to: target)
        defer { copy.close() }
        Interruption.expect()
        let bar = ProgressOutput("copying")
        var reached = Self.now
        var isLate = false
        var isLast = false
        repeat {
            isLast = Interruption.isThere
            let began = Self.now
            do {
                let step = try copy.catchUp { progress in
                    bar.show(done: Int64(progress.pagesCopied), of: Int64(progress.pages))
                    return !Interruption.isThere
                }
                bar.end()
                if step != .heldUp { reached = began }
                if let line = view.step(step, behindSeconds: Self.now - reached) { show(line) }
                if step == .heldUp, !isLast, !Interruption.isThere { say(&isLate, reached, "somebody reads the copy") }
            } catch {
                bar.end()
                say(&isLate, reached, "\(error)")
                if isLast { throw error }
            }
            if isLate, Self.now - reached <= lagMaxSeconds {
                complain("the copy has caught up")
                isLate = false
            }
            Interruption.wait(seconds: max(lagMaxSeconds / 2 - (Self.now - began), 0.01))
        } while !isLast
    }

    /// Once for each time that it falls behind.
    private func say(_ isLate: inout Bool, _ reached: Double, _ reason: String) {
        let behind = Self.now - reached
        guard behind > lagMaxSeconds, !isLate else { return }
        isLate = true
        complain("the copy is \(Int(behind)) seconds behind: \(reason)")
    }

    private static var now: Double { ProcessInfo.processInfo.systemUptime }
}
