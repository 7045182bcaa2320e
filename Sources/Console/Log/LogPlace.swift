import Foundation

/// Where logs are, as the commands that work on their files are told.
public enum LogPlace {
    /// The directory of the log that a path names: one with a log in it, or the data directory of a sidecar.
    ///
    /// - Throws: `AdminError` of code `place`.
    public static func existing(_ path: String) throws(AdminError) -> String {
        for directory in [path, inData(path)]
        where FileManager.default.fileExists(atPath: directory + "/events.sqlite") {
            return directory
        }
        throw AdminError(
            .place, "there is no event log in \(path): expected a directory with events.sqlite, or a data directory")
    }

    /// The directory of the log below a sidecar's data directory.
    public static func inData(_ data: String) -> String { data + "/events" }

    /// The data directory in `text`, else that which `tacho run` itself would take.
    public static func data(_ text: String?, environment: [String: String]) -> String {
        text ?? environment["TACHO_DATA"].flatMap { $0.isEmpty ? nil : $0 } ?? "./tacho-data"
    }

    /// A place for a new log: a directory that is not there, or has nothing in it but what an attempt has left.
    ///
    /// - Throws: `AdminError` of code `place`.
    public static func requireEmpty(_ directory: String) throws(AdminError) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        let foreign = names.filter { $0 != "log.lock" && !$0.hasPrefix("events.sqlite.partial") }
        guard foreign.isEmpty else {
            throw AdminError(
                .place,
                "\(directory) is not empty (\(foreign.sorted()[0])), and nothing is written over. "
                    + "Name another directory, or move what is there away.")
        }
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw AdminError(.place, "\(directory) cannot be made: \(error.localizedDescription)")
        }
    }

    /// A moment in milliseconds of the Unix time, from such a number or an RFC 3339 time; nil for neither.
    public static func moment(_ text: String) -> Int64? {
        if let number = Int64(text), number >= 0 { return number }
        let formatter = ISO8601DateFormatter()
        for options: ISO8601DateFormatter.Options in [
            .withInternetDateTime, [.withInternetDateTime, .withFractionalSeconds],
        ] {
            formatter.formatOptions = options
            if let date = formatter.date(from: text) { return Int64((date.timeIntervalSince1970 * 1_000).rounded()) }
        }
        return nil
    }
}
