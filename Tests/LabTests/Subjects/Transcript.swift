@testable import Lab

/// Talks to a subject as a test reads: calls at a time in seconds that end some milliseconds later.
struct Transcript<Tested: Subject> {
    var subject: Tested
    private(set) var now: UInt64 = 0

    init(_ subject: Tested) { self.subject = subject }

    var stance: Stance { subject.stance }

    /// Beats up to the moment.
    mutating func pass(to seconds: Double) {
        let end = UInt64(seconds * 1e9)
        while now + 100_000_000 <= end {
            now += 100_000_000
            subject.beat(now: now)
        }
        now = end
    }

    /// Whether a call is let through now; it does not end.
    mutating func admits() -> Permit? { subject.admit(now: now) }

    /// A call that was let through ends.
    mutating func end(_ permit: Permit, _ ending: CallEnding = .success, milliseconds: UInt64 = 10) {
        let latency = milliseconds * 1_000_000
        let call = EndedCall(permit: permit, began: now, latencyNanoseconds: latency, ending: ending)
        subject.ended(call, now: now)
    }

    /// So many calls one after the other that end at once; returns how many were let through.
    @discardableResult
    mutating func calls(_ count: Int, _ ending: CallEnding = .success, milliseconds: UInt64 = 10) -> Int {
        var passed = 0
        for _ in 0..<count {
            guard let permit = admits() else { continue }
            passed += 1
            end(permit, ending, milliseconds: milliseconds)
        }
        return passed
    }
}
