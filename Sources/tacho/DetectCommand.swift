import ArgumentParser
import Foundation
import Resilience
import Wire

struct DetectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detect",
        abstract: "Score how unusual each value of a time series is.",
        discussion: """
            Reads timestamp,value rows (with that header line; ISO 8601 timestamps) and writes \
            timestamp,value,anomaly_score rows, one for each row read, as they come: 0 for nothing new, up to 1. \
            \(EnvelopeDetector.notable) is worth a mark on a dashboard, \(EnvelopeDetector.warning) a warning. A value \
            that is not finite, or not later than the one before, scores 0 and is not learned.
            """
    )

    @Argument(help: "The CSV file; - for standard input.")
    var file: String

    @Option(
        name: .shortAndLong, help: "How to print: csv, json (one array) or ndjson (one object per line).",
        transform: { text in
            if let format = ScoredSeriesWriter.Format(rawValue: text) { return format }
            throw ValidationError("expected csv, json or ndjson")
        })
    var output = ScoredSeriesWriter.Format.csv

    @Option(
        help: ArgumentHelp(
            "The unit of the values: after a flat stretch, a change of a fifth of it warns. 0: any change does.",
            valueName: "number"))
    var resolution = 0.0

    func validate() throws {
        guard (0...EnvelopeDetector.magnitudeMax).contains(resolution) else {
            throw ValidationError("--resolution: expected 0 or more")
        }
    }

    func run() throws {
        let source = file == "-" ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw DetectFailure.system("read \(file)") }
        var decoder = SeriesDecoder()
        var detector = EnvelopeDetector(resolution: resolution)
        var writer = ScoredSeriesWriter(output)
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = read(source, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw DetectFailure.system("read \(file)") }
            if count == 0 { decoder.finish() } else { decoder.append(chunk[..<count]) }
            // What was scored before a bad row is still good.
            let problem = score(&decoder, &detector, &writer)
            if count == 0, problem == nil { writer.finish() }
            try flush(&writer)
            if let problem { throw DetectFailure(description: "\(file == "-" ? "standard input" : file): \(problem)") }
            if count == 0 { break }
        }
        if detector.skipped > 0 {
            StandardError.print(
                "tacho: \(detector.skipped) rows were not scored: not finite, or not later than the row before")
        }
    }

    private func score(
        _ decoder: inout SeriesDecoder, _ detector: inout EnvelopeDetector, _ writer: inout ScoredSeriesWriter
    ) -> SeriesError? {
        do throws(SeriesError) {
            while let row = try decoder.next() {
                writer.write(row, score: detector.score(row.number, atUnixSeconds: row.unixSeconds))
            }
            return nil
        } catch {
            return error
        }
    }

    private func flush(_ writer: inout ScoredSeriesWriter) throws {
        var written = 0
        while written < writer.bytes.count {
            let count = writer.bytes[written...].withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw DetectFailure.system("write to standard output") }
            written += count
        }
        writer.clear()
    }
}

/// Why a series could not be scored to its end.
private struct DetectFailure: Error, CustomStringConvertible {
    let description: String

    /// What the system says of the last call.
    static func system(_ action: String) -> DetectFailure {
        DetectFailure(description: "cannot \(action): \(String(cString: strerror(errno)))")
    }
}
