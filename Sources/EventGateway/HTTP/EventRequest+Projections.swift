import EventLog
import Gateway
import HTTPTypes
import Hummingbird
import Wire

/// Projections: defined, looked at, rebuilt and removed.
extension EventRequest {
    func listProjections() async throws -> Response {
        let statuses = try await desk.value { desk.log.projections(answer: $0) }
        return EventAnswer.json(EventAnswer.object(["projections": .array(statuses.map(Self.projection))]))
    }

    func getProjection() async throws -> Response { EventAnswer.json(Self.projection(try await status())) }

    func putProjection() async throws -> Response {
        let name = try projectionName()
        let definition: ProjectionDefinition
        let text = try await jsonBody()
        do throws(ProjectionProblem) {
            definition = try ProjectionDefinition(parsing: text)
        } catch {
            throw GatewayProblem.badQuery("\(error)")
        }
        let outcome = try await desk.value { desk.log.define(projection: name, definition, now: now, answer: $0) }
        if case .tooMany(let limit) = outcome {
            throw GatewayProblem(
                status: .conflict, detail: "there are \(limit) projections, which is the most; delete one",
                members: ["limit": Int64(limit)])
        }
        return EventAnswer.json(Self.projection(try await status()), outcome == .created ? .created : .ok)
    }

    func rebuildProjection() async throws -> Response {
        let name = try projectionName()
        guard try await desk.value({ desk.log.rebuild(projection: name, now: now, answer: $0) }) else {
            throw GatewayProblem.noProjection
        }
        return EventAnswer.json(Self.projection(try await status()), .accepted)
    }

    func deleteProjection() async throws -> Response {
        let name = try projectionName()
        guard try await desk.value({ desk.log.remove(projection: name, answer: $0) }) else {
            throw GatewayProblem.noProjection
        }
        return Response(status: .noContent)
    }

    func listProjectionRows() async throws -> Response {
        let status = try await status()
        if let key = text(.key) {
            let row = try await desk.value { desk.log.row(ofProjection: status.name, key: key, answer: $0) }
            return Self.rows((row ?? nil).map { [$0] } ?? [], status, hasMore: false)
        }
        let after = text(.after)
        let limit = try limit(default: 100)
        let rows = try await desk.value {
            desk.log.rows(ofProjection: status.name, after: after, limit: limit + 1, answer: $0)
        }
        return Self.rows(Array((rows ?? []).prefix(limit)), status, hasMore: (rows?.count ?? 0) > limit)
    }

    private func projectionName() throws(GatewayProblem) -> String {
        let name = String(decoding: try name("projection"), as: UTF8.self)
        guard ProjectionDefinition.isName(name) else {
            throw .badQuery("projection: expected a name of 1 to 64 letters, digits, and any of - . _")
        }
        return name
    }

    private func status() async throws -> ProjectionStatus {
        let name = try projectionName()
        let statuses = try await desk.value { desk.log.projections(answer: $0) }
        guard let status = statuses.first(where: { $0.name == name }) else { throw GatewayProblem.noProjection }
        return status
    }

    private static func rows(_ rows: [ProjectionRow], _ status: ProjectionStatus, hasMore: Bool) -> Response {
        let shown = rows.map { row in
            EventAnswer.object([
                "key": .string(row.key),
                "values": .object(
                    zip(status.definition.columns, row.values).map { JSONValue.Member($0.name, $1) }),
                "offset": EventAnswer.number(row.offset),
                "changed_unix_milliseconds": EventAnswer.number(row.changedAtUnixMilliseconds),
            ])
        }
        return EventAnswer.json(
            EventAnswer.object([
                "rows": .array(shown), "lag": EventAnswer.number(status.lag),
                "next": hasMore ? rows.last.map { .string($0.key) } ?? .null : .null,
            ]))
    }

    private static func projection(_ status: ProjectionStatus) -> JSONValue {
        EventAnswer.object([
            "name": .string(status.name), "stream": .string(status.definition.stream),
            "position": EventAnswer.number(status.position), "last_offset": EventAnswer.number(status.lastOffset),
            "lag": EventAnswer.number(status.lag), "rows": EventAnswer.number(status.counts.rows),
            "folded": EventAnswer.number(status.counts.folded), "skipped": EventAnswer.number(status.counts.skipped),
            "unusable": EventAnswer.number(status.counts.unusable),
            "unusable_values": EventAnswer.number(status.counts.unusableValues),
            "missed": EventAnswer.number(status.counts.missed),
            "created_unix_milliseconds": EventAnswer.number(status.createdAtUnixMilliseconds),
            "rebuilt_unix_milliseconds": EventAnswer.number(status.rebuiltAtUnixMilliseconds),
            "definition": status.definition.json,
        ])
    }
}

extension GatewayProblem {
    static let noProjection = GatewayProblem.notFound("there is no projection of this name")
}
