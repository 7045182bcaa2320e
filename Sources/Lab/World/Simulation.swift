/// One run: a client that makes the planned calls, a subject that lets them pass or not, a destination that answers.
///
/// A call is in flight for its latency and the subject learns of it when it ends. Beats come every 100 ms, arrivals or
/// not. Events at one time: endings first, then the beat, then new calls.
struct Simulation: Sendable {
    private struct Flight: Sendable {
        var permit: Permit
        var began: UInt64
        var ending: CallEnding
        var retriesLeft: Int
    }

    private enum Due: Sendable {
        case ended(Flight)
        case retry(left: Int)
    }

    private let workload: Workload
    private var subject: any Subject
    private var destination: Destination
    private var due = EventHeap<Due>()
    private var observer: Observer
    private var retryRandom: LabRandom
    private var beat = 0

    static func run(_ workload: Workload, subject: any Subject) -> RunMetrics {
        var simulation = Simulation(workload, subject)
        return simulation.run()
    }

    private init(_ workload: Workload, _ subject: any Subject) {
        self.workload = workload
        self.subject = subject
        destination = Destination(workload.scenario.capacity)
        observer = Observer(workload)
        retryRandom = LabRandom(seed: workload.seed, stream: "retries")
    }

    private mutating func run() -> RunMetrics {
        let end = UInt64(Evaluation.runSeconds * 1e9)
        for call in workload.calls {
            advance(to: call.arrival)
            offer(call, retriesLeft: workload.scenario.retries, now: call.arrival)
        }
        advance(to: end)
        return observer.metrics(subject, end: end)
    }

    /// Everything that is due up to and including the moment.
    private mutating func advance(to now: UInt64) {
        while true {
            let beatTime = UInt64(beat) * Evaluation.beatNanoseconds
            let time = min(due.nextTime, beatTime)
            guard time <= now else { return }
            if due.nextTime <= beatTime, let event = due.removeFirst() {
                perform(event.payload, now: event.time)
            } else {
                let wait = destination.waitNanoseconds(at: beatTime)
                observer.beat(
                    isFaulty: workload.faultyBeats[min(beat, workload.faultyBeats.count - 1)], wait: wait,
                    now: beatTime)
                subject.beat(now: beatTime)
                observer.look(subject, now: beatTime)
                observer.settle(now: beatTime)
                beat += 1
            }
        }
    }

    private mutating func perform(_ due: Due, now: UInt64) {
        switch due {
        case .ended(let flight):
            let call = EndedCall(
                permit: flight.permit, began: flight.began, latencyNanoseconds: now - flight.began,
                ending: flight.ending)
            subject.ended(call, now: now)
            observer.look(subject, now: now)
            guard call.hasFailed, flight.retriesLeft > 0 else { return }
            let delay = UInt64(retryRandom.uniform() * 50_000_000)
            self.due.add(.retry(left: flight.retriesLeft - 1), at: now + delay)
        case .retry(let retriesLeft):
            let seconds = Double(now) / 1e9
            let conditions = workload.scenario.conditions(seconds, workload.fault)
            let call = PlannedCall(at: now, under: conditions, using: &retryRandom)
            offer(call, retriesLeft: retriesLeft, now: now)
        }
    }

    private mutating func offer(_ call: PlannedCall, retriesLeft: Int, now: UInt64) {
        let isFaulty =
            call.isFaulty || destination.waitNanoseconds(at: now) > Evaluation.objectiveNanoseconds
        guard let permit = subject.admit(now: now) else {
            observer.rejected(destination.fate(of: call, at: now), isFaulty: isFaulty)
            observer.look(subject, now: now)
            return
        }
        observer.look(subject, now: now)
        let fate = destination.accept(call, at: now)
        observer.admitted(fate, isFaulty: isFaulty)
        let flight = Flight(permit: permit, began: now, ending: fate.ending, retriesLeft: retriesLeft)
        due.add(.ended(flight), at: now + fate.latencyNanoseconds)
    }
}
