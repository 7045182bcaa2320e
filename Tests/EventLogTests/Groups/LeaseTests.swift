import Testing

@testable import EventLog

@Suite("Groups with leases")
struct LeaseTests {
    let scratch: ScratchLog
    let jobs = DurableLog.GroupName(stream: [UInt8]("jobs"), group: [UInt8]("workers"))

    init() throws {
        scratch = try ScratchLog()
        _ = scratch.log.answer(
            .createGroup(
                StreamGroupCreation(key: jobs.stream, group: jobs.group, start: .last, createsStream: true)))
        let policy = LeasePolicy(leaseMilliseconds: 100, backoff: .list([10, 50]), deliveriesMax: 3)
        #expect(try scratch.wait { scratch.log.setPolicy(policy, of: jobs, now: 0, answer: $0) })
    }

    func append(_ text: String, at now: UInt64) {
        _ = scratch.log.answer(StreamAppend.to("jobs", .automatic, ("job", text)), at: now)
    }

    /// What a consumer gets: id, attempt and end of lease.
    func receive(_ consumer: String, limit: Int = 10, at now: Int64) throws -> [String] {
        let events = try scratch.wait { answer in
            scratch.log.receive(from: jobs, consumer: [UInt8](consumer), limit: limit, now: now, answer: answer)
        }
        return (events ?? []).map { "\($0.id) try \($0.deliveries) until \($0.leasedUntilUnixMilliseconds)" }
    }

    func reject(_ id: StreamID, delay: Int64? = nil, _ error: String, isFinal: Bool = false, at now: Int64) throws
        -> String
    {
        let rejection = try scratch.wait { answer in
            scratch.log.reject(
                [id], of: jobs, delayMilliseconds: delay, error: error, isFinal: isFinal, now: now, answer: answer)
        }
        return "\(rejection.count)" + rejection.exhausted.map { " exhausted \($0)" }.joined()
    }

    func acknowledge(_ id: StreamID) -> StreamReply {
        scratch.log.answer(.acknowledge(key: jobs.stream, group: jobs.group, ids: [id]))
    }

    func deadLetters() throws -> [DeadLetter] {
        try scratch.wait { scratch.log.deadLetters(answer: $0) }
    }

    @Test("An event is one consumer's until its lease ends, and then another's")
    func leases() throws {
        append("a", at: 1)
        append("b", at: 2)
        #expect(try receive("x", limit: 1, at: 10) == ["1-0 try 1 until 110"])
        #expect(try receive("y", at: 11) == ["2-0 try 1 until 111"])
        #expect(try receive("z", at: 109) == [])
        #expect(acknowledge(StreamID(2, 0)) == .count(1))
        #expect(try receive("z", at: 110) == ["1-0 try 2 until 210"])
        #expect(acknowledge(StreamID(1, 0)) == .count(1))
        #expect(try receive("z", at: 1_000) == [])
    }

    @Test("A lease that is extended in time is not given away; another consumer cannot extend it")
    func extending() throws {
        append("a", at: 1)
        _ = try receive("x", at: 10)
        func extend(_ consumer: String, at now: Int64) throws -> Int {
            try scratch.wait { answer in
                scratch.log.extend(
                    [StreamID(1, 0)], of: jobs, consumer: [UInt8](consumer), leaseMilliseconds: 500, now: now,
                    answer: answer)
            }
        }
        #expect(try extend("y", at: 50) == 0)
        #expect(try extend("x", at: 50) == 1)
        #expect(try receive("y", at: 549) == [])
        #expect(try receive("y", at: 550) == ["1-0 try 2 until 650"])
    }

    @Test("What is given back waits as the list says or as the consumer says, and is a dead letter after the last try")
    func backoffAndDeadLetter() throws {
        append("a", at: 1)
        #expect(try receive("x", at: 10) == ["1-0 try 1 until 110"])
        #expect(try reject(StreamID(1, 0), "no stock", at: 20) == "1")
        #expect(try reject(StreamID(1, 0), "twice", at: 21) == "0")
        #expect(try receive("y", at: 29) == [])
        #expect(try receive("y", at: 30) == ["1-0 try 2 until 130"])
        #expect(try reject(StreamID(1, 0), delay: 7, "still none", at: 40) == "1")
        #expect(try receive("x", at: 46) == [])
        #expect(try receive("x", at: 47) == ["1-0 try 3 until 147"])
        #expect(try receive("y", at: 200) == [])
        let letters = try deadLetters()
        #expect(letters.map(\.reason) == [.deliveriesExhausted])
        #expect(letters[0].fields == fields(("job", "a")))
        #expect(letters[0].deliveries == 3)
        #expect(
            letters[0].attempts == [
                DeliveryAttempt(
                    deliveredAtUnixMilliseconds: 10, endedAtUnixMilliseconds: 20, consumer: [UInt8]("x"),
                    error: "no stock"),
                DeliveryAttempt(
                    deliveredAtUnixMilliseconds: 30, endedAtUnixMilliseconds: 40, consumer: [UInt8]("y"),
                    error: "still none"),
                DeliveryAttempt(
                    deliveredAtUnixMilliseconds: 47, endedAtUnixMilliseconds: 200, consumer: [UInt8]("x"),
                    error: "the lease ended without an answer"),
            ])
        #expect(acknowledge(StreamID(1, 0)) == .count(0))
    }

    @Test("Giving back the last attempt says that it was the last")
    func exhausted() throws {
        append("a", at: 1)
        for (moment, expected) in [(10, "1"), (20, "1"), (30, "1 exhausted 1-0")] as [(Int64, String)] {
            #expect(try receive("x", at: moment).count == 1)
            #expect(try reject(StreamID(1, 0), delay: 0, "no stock", at: moment) == expected)
        }
        #expect(try deadLetters().map(\.reason) == [.deliveriesExhausted])
    }

    @Test("A consumer that rejects for good makes a dead letter at once, which outlives the stream's entry")
    func finalReject() throws {
        append("a", at: 1)
        _ = try receive("x", at: 10)
        #expect(try reject(StreamID(1, 0), "not even JSON", isFinal: true, at: 20) == "1")
        _ = scratch.log.answer(.trim(key: jobs.stream, StreamTrim(.length(0)), references: .keep))
        let letter = try #require(try deadLetters().first)
        #expect(letter.reason == .rejected)
        #expect(letter.error == "not even JSON")
        #expect(letter.fields == fields(("job", "a")))
    }

    @Test("A dry run of a redrive changes nothing; the redrive gives the event to its own group, with new attempts")
    func redrive() throws {
        append("a", at: 1)
        _ = try receive("x", at: 10)
        _ = try reject(StreamID(1, 0), "broken", isFinal: true, at: 20)
        func redrive(dry: Bool) throws -> RedriveReport {
            try scratch.wait { answer in
                scratch.log.redrive(
                    DeadLetterFilter(group: jobs.group, reason: .rejected), isDryRun: dry, now: 30, answer: answer)
            }
        }
        #expect(try redrive(dry: true) == RedriveReport(returned: 1, appended: 0, skipped: 0))
        #expect(try deadLetters().count == 1)
        #expect(try receive("x", at: 31) == [])
        #expect(try redrive(dry: false) == RedriveReport(returned: 1, appended: 0, skipped: 0))
        #expect(try deadLetters().isEmpty)
        #expect(scratch.log.answer(.length(key: jobs.stream)) == .count(1))
        #expect(try receive("y", at: 31) == ["1-0 try 1 until 131"])
    }

    @Test("An edited dead letter is appended anew; a purged one is gone")
    func editAndPurge() throws {
        append("a", at: 1)
        append("b", at: 2)
        _ = try receive("x", at: 10)
        _ = try reject(StreamID(1, 0), "typo", isFinal: true, at: 20)
        _ = try reject(StreamID(2, 0), "junk", isFinal: true, at: 20)
        let numbers = try deadLetters().map(\.number)
        let corrected = fields(("job", "A"))
        #expect(try scratch.wait { scratch.log.edit(deadLetter: numbers[0], fields: corrected, answer: $0) })
        let report = try scratch.wait { answer in
            scratch.log.redrive(DeadLetterFilter(numbers: [numbers[0]]), now: 30, answer: answer)
        }
        #expect(report == RedriveReport(returned: 0, appended: 1, skipped: 0))
        #expect(try receive("y", at: 40) == ["30-0 try 1 until 140"])
        #expect(
            scratch.log.answer(.range(StreamRange(key: jobs.stream, lower: StreamID(30, 0), upper: .max)))
                == .entries([StreamEntry(id: StreamID(30, 0), fields: corrected)]))
        #expect(try scratch.wait { scratch.log.purge(DeadLetterFilter(stream: jobs.stream), answer: $0) } == 1)
        #expect(try deadLetters().isEmpty)
    }

    @Test("An exponential wait doubles up to its bound, however many attempts there were")
    func exponential() {
        let policy = LeasePolicy(backoff: .exponential(first: 100, factor: 2, max: 1_000))
        #expect(
            [1, 2, 3, 4, 5, 1_000].map { policy.delayMilliseconds(afterDeliveries: $0) } == [
                100, 200, 400, 800, 1_000, 1_000,
            ])
        #expect(LeasePolicy(encoded: policy.encoded) == policy)
        let list = LeasePolicy(leaseMilliseconds: 7, backoff: .list([1, 2]), deliveriesMax: nil)
        #expect(LeasePolicy(encoded: list.encoded) == list)
    }
}
