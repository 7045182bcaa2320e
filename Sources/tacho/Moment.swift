import ArgumentParser
import Console

/// A moment as an option names it.
enum Moment {
    /// Milliseconds of the Unix time.
    @Sendable static func parse(_ text: String) throws -> Int64 {
        guard let moment = LogPlace.moment(text) else {
            throw ValidationError("expected a time like 2026-01-31T08:00:00Z, or milliseconds since 1970")
        }
        return moment
    }
}
