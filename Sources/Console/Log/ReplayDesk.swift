import Foundation
import Telemetry

/// Has a running sidecar replay a range of events, and shows how far it is.
public struct ReplayDesk {
    private let client: AdminClient
    private let asJSON: Bool

    /// Where a replay goes.
    public enum Target: Sendable {
        case stream(String)
        case group(String)
    }

    /// Asks this sidecar, and answers in text or JSON.
    public init(_ client: AdminClient, asJSON: Bool) {
        self.client = client
        self.asJSON = asJSON
    }

    /// What one line of progress says.
    private struct Progress: Decodable {
        var replayed: Int
        var skipped: Int
        var offset: Int64?
        var last: Int64
        var done: Bool?
        var error: String?

        enum CodingKeys: String, CodingKey {
            case replayed, skipped, offset, done, error
            case last = "last_offset"
        }
    }

    /// Replays events by their offsets. `pace` is `original`, `immediate` or how many times as fast.
    ///
    /// - Throws: `AdminError`; also when the replay was ended early.
    public func replay(
        _ stream: String, from: Int64?, to: Int64?, pace: String, target: Target, show: @escaping (String) -> Void
    ) throws {
        var body: [String: Any] = ["pace": Double(pace).map { $0 as Any } ?? pace]
        body["from"] = from
        body["to"] = to
        switch target {
        case .stream(let name): body["to_stream"] = name
        case .group(let name): body["to_group"] = name
        }
        let bar = ProgressOutput("replaying")
        var last: Progress?
        try client.stream(
            "/streams/\(AdminAddress.escaped(stream))/replay", [], method: .post, body: LogView.line(body)
        ) { line in
            guard let progress = try? JSONDecoder().decode(Progress.self, from: Data(line.utf8)) else { return }
            last = progress
            let first = (from ?? 1) - 1
            bar.show(done: (progress.offset ?? first) - first, of: max(progress.last - first, 0))
            if asJSON { show(line) }
        }
        bar.end()
        guard let last, last.done == true else {
            throw AdminError(
                .interrupted, last?.error.map(TerminalText.plain) ?? "the replay was ended before it was done")
        }
        guard !asJSON else { return }
        let skipped = last.skipped > 0 ? ", left out \(last.skipped) that the group has or is still to get" : ""
        show("replayed \(last.replayed) events\(skipped)")
    }
}
