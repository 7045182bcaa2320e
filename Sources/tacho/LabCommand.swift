import ArgumentParser
import Foundation
import Lab

/// Compares breakers in simulated faults. Everything that decides is in `Lab`; here are threads and the file.
struct LabCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Compare circuit breakers in simulated faults.",
        discussion: """
            Client, breaker and destination are simulated with a virtual clock, the same calls for every subject. \
            Other systems' breakers are written anew from their documented rules. Equal seeds give equal output.
            """
    )

    @Option(help: ArgumentHelp("Run only this scenario; may be repeated.", valueName: "name"))
    var scenario: [String] = []

    @Option(help: ArgumentHelp("Run only this subject; may be repeated.", valueName: "name"))
    var subject: [String] = []

    @Option(help: ArgumentHelp("The seeds, one run each.", valueName: "first-last"))
    var seeds = "1-20"

    @Option(help: ArgumentHelp("Also write the figures as JSON to a file.", valueName: "file"))
    var json: String?

    @OptionGroup var format: OutputOptions

    func validate() throws { _ = try experiment() }

    func run() async throws {
        let experiment = try experiment()
        let report = experiment.report(await pieces(of: experiment))
        if let json { try Data(report.json.utf8).write(to: URL(fileURLWithPath: json)) }
        print(format.output == .json ? report.json : report.text, terminator: "")
    }

    /// Every piece on its own, on as many threads as there are cores.
    private func pieces(of experiment: Experiment) async -> [[RunMetrics]] {
        await withTaskGroup(of: (Int, [RunMetrics]).self) { group in
            for piece in 0..<experiment.pieceCount {
                group.addTask { (piece, experiment.run(piece: piece)) }
            }
            var pieces = [[RunMetrics]](repeating: [], count: experiment.pieceCount)
            for await (piece, runs) in group { pieces[piece] = runs }
            return pieces
        }
    }

    private func experiment() throws -> Experiment {
        let scenarios = try scenario.map { name in
            guard let scenario = Scenario.named(name) else {
                throw unknown("scenario", name, Scenario.all.map(\.name))
            }
            return scenario
        }
        let subjects = try subject.map { name in
            guard let subject = SubjectKind(rawValue: name) else {
                throw unknown("subject", name, SubjectKind.allCases.map(\.rawValue))
            }
            return subject
        }
        return Experiment(
            scenarios: scenarios.isEmpty ? Scenario.all : scenarios,
            subjects: subjects.isEmpty ? SubjectKind.allCases : subjects, seeds: try seedRange())
    }

    private func seedRange() throws -> ClosedRange<UInt64> {
        let parts = seeds.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
        guard let first = parts.first ?? nil, let last = parts.last ?? nil, parts.count <= 2, first <= last,
            last - first < 1_000
        else { throw ValidationError("--seeds: expected FIRST-LAST, at most 1000 of them, not '\(seeds)'") }
        return first...last
    }

    private func unknown(_ option: String, _ name: String, _ known: [String]) -> ValidationError {
        ValidationError("--\(option): there is no '\(name)'; known are \(known.joined(separator: ", "))")
    }
}
