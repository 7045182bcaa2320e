import EventLog
import Foundation
import Telemetry

/// What operators do with the files of a log, in use or not.
public struct LogFiles {
    private let view: LogView
    private let show: (String) -> Void

    /// `show` takes the lines of the answer; progress goes to standard error.
    public init(_ view: LogView, show: @escaping (String) -> Void) {
        self.view = view
        self.show = show
    }

    /// Copies the log that a path names into a new directory.
    public func backUp(_ path: String, to target: String) throws {
        let source = try LogPlace.existing(path)
        try LogPlace.requireEmpty(target)
        let bar = ProgressOutput("copying")
        _ = try DurableLog.backup(directory: source, to: target) { progress in
            bar.show(done: Int64(progress.pagesCopied), of: Int64(progress.pages))
            return true
        }
        bar.end()
        show(view.made("copied", from: source, to: target, bytes: Self.bytes(target)))
    }

    /// Makes a log below a data directory from a backup, as it was at a moment or at its last commit.
    public func restore(_ backup: String, toData data: String, at moment: Int64?, force: Bool) throws {
        let (source, target) = (try LogPlace.existing(backup), LogPlace.inData(data))
        try LogPlace.requireEmpty(target)
        let copying = ProgressOutput("copying")
        let checking = ProgressOutput("checking")
        let reports = try DurableLog.restore(
            backup: source, to: target, atUnixMilliseconds: moment, acceptsBreaks: force,
            copying: { progress in
                copying.show(done: Int64(progress.pagesCopied), of: Int64(progress.pages))
                if progress.pagesCopied == progress.pages { copying.end() }
                return true
            },
            checking: { progress in
                checking.show(done: progress.events, of: progress.eventsInAll)
                return true
            })
        checking.end()
        for report in reports ?? [] { show(view.chain(report)) }
        show(view.made("restored", from: source, to: target, bytes: Self.bytes(target)))
    }

    /// Walks along the chains of the log that a path names, and has its file looked through. Whether all is well.
    public func verify(_ path: String, streams: [String]) throws -> Bool {
        let directory = try LogPlace.existing(path)
        let bar = ProgressOutput("checking")
        let reports = try DurableLog.verify(
            directory: directory, streams: streams.isEmpty ? nil : streams.map { Array($0.utf8) }
        ) { progress in
            bar.show(done: progress.events, of: progress.eventsInAll)
            return true
        }
        bar.end()
        for report in reports { show(view.chain(report)) }
        let unknown = Set(streams).subtracting(reports.map { String(decoding: $0.stream, as: UTF8.self) })
        if let name = unknown.sorted().first {
            throw AdminError(.place, "there is no stream \(TerminalText.plain(name)) in \(directory)")
        }
        let faults = streams.isEmpty ? try DurableLog.structureFaults(directory: directory) : []
        for fault in faults { show(view.structure(fault)) }
        return reports.allSatisfy(\.isWhole) && faults.isEmpty
    }

    private static func bytes(_ directory: String) -> Int64 {
        let attributes = try? FileManager.default.attributesOfItem(atPath: directory + "/events.sqlite")
        return (attributes?[.size] as? Int64) ?? 0
    }
}
