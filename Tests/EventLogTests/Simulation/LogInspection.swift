import Database

@testable import EventLog

/// Rules that the tables keep among themselves at any time between two transactions.
enum LogInspection {
    /// What is broken, or nil.
    static func broken(_ session: LogSession) throws -> String? {
        let connection = session.connection
        let checks = [
            "entries counted": """
            SELECT count(*) FROM stream WHERE length <>
                (SELECT count(*) FROM event WHERE row >> 40 = stream.number)
            """,
            "bytes counted": """
            SELECT count(*) FROM stream WHERE bytes <>
                (SELECT coalesce(sum(length(fields)), 0) FROM event WHERE row >> 40 = stream.number)
            """,
            "no events without stream":
                "SELECT count(*) FROM event WHERE row >> 40 NOT IN (SELECT number FROM stream)",
            "no digests without stream":
                "SELECT count(*) FROM removed WHERE row >> 40 NOT IN (SELECT number FROM stream)",
            "nothing before the anchor": """
            SELECT count(*) FROM stream WHERE EXISTS (SELECT 1 FROM event WHERE row >> 40 = number
                AND row & 0xffffffffff <= anchor_offset)
            """,
            "every offset is an event or a digest": """
            SELECT count(*) FROM stream WHERE last_offset - anchor_offset <>
                length + (SELECT count(*) FROM removed WHERE row >> 40 = stream.number)
            """,
            "no group without stream":
                "SELECT count(*) FROM consumer_group WHERE stream NOT IN (SELECT number FROM stream)",
            "no consumer without group":
                "SELECT count(*) FROM consumer WHERE owner NOT IN (SELECT number FROM consumer_group)",
            "no delivery without consumer":
                "SELECT count(*) FROM pending WHERE consumer NOT IN (SELECT number FROM consumer)",
            "no mark without stream": "SELECT count(*) FROM mark WHERE stream NOT IN (SELECT number FROM stream)",
            "buckets counted": """
            SELECT count(*) FROM (SELECT position >> \(LogSession.bucketShift) AS b, count(*) AS n FROM event
                GROUP BY 1) LEFT JOIN bucket ON bucket = b WHERE events IS NOT n
            """,
        ]
        for (name, query) in checks where try connection.integer(query) != 0 { return "broken: \(name)" }
        return nil
    }
}
