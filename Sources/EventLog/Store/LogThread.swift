import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A thread of its own for work that blocks on the disk, and its end for others to wait for.
final class LogThread: Sendable {
    private let thread: Mutex<pthread_t?>

    /// Starts `work` on a new thread.
    init(_ work: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Start>.fromOpaque(context).takeRetainedValue().work()
                return nil
            }, Unmanaged.passRetained(Start(work)).toOpaque())
        precondition(status == 0, "the system has no thread left for the event log")
        self.thread = Mutex(thread)
    }

    /// Blocks until the work is done and the thread is gone. Further calls return at once.
    func join() {
        let thread = thread.withLock { thread -> pthread_t? in
            defer { thread = nil }
            return thread
        }
        if let thread { pthread_join(thread, nil) }
    }

    private final class Start: Sendable {
        let work: @Sendable () -> Void

        init(_ work: @escaping @Sendable () -> Void) {
            self.work = work
        }
    }
}

/// What waits for a thread: any thread puts in, one or more take out, blocking while there is nothing.
///
/// Sendable although the compiler cannot see it: `items` and `isClosed` are touched only between lock and unlock of
/// `mutex`, and the two system objects live on the heap, at one place, as long as the queue.
final class WorkQueue<Item: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var items: [(item: Item, weight: Int)] = []
    /// The sum of their weights.
    private var weight = 0
    private var waiting = 0
    private var isClosed = false

    init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // Wall time may jump; a wait of a second should not become one of an hour.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Puts an item in, unless what waits already weighs `limit`: an item counts as `weight` of them.
    func offer(_ item: Item, weight: Int = 1, limit: Int = .max) -> WorkOffer {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if isClosed { return .closed }
        guard self.weight < limit else { return .full(self.weight) }
        items.append((item, weight))
        self.weight += weight
        if waiting > 0 { pthread_cond_signal(condition) }
        return .taken
    }

    /// Takes items until their weight is `limit`, waiting until there is one. An empty list when the time is over; nil
    /// when the queue is closed and empty.
    func take(upTo limit: Int, waitingMilliseconds: Int) -> [Item]? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if items.isEmpty, !isClosed {
            var deadline = timespec()
            clock_gettime(CLOCK_MONOTONIC, &deadline)
            deadline.tv_sec += waitingMilliseconds / 1_000
            deadline.tv_nsec += waitingMilliseconds % 1_000 * 1_000_000
            if deadline.tv_nsec >= 1_000_000_000 {
                deadline.tv_sec += 1
                deadline.tv_nsec -= 1_000_000_000
            }
            waiting += 1
            while items.isEmpty, !isClosed, pthread_cond_timedwait(condition, mutex, &deadline) == 0 {}
            waiting -= 1
        }
        if items.isEmpty { return isClosed ? nil : [] }
        var taken: [Item] = []
        var takenWeight = 0
        for (item, itemWeight) in items where takenWeight < limit {
            taken.append(item)
            takenWeight += itemWeight
        }
        items.removeFirst(taken.count)
        weight -= takenWeight
        return taken
    }

    /// The weight of what waits.
    var count: Int {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return weight
    }

    /// Takes no more items; what waits can still be taken.
    func close() {
        pthread_mutex_lock(mutex)
        isClosed = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }
}

/// What became of an offer to a queue.
enum WorkOffer: Equatable {
    case taken
    /// So many wait already.
    case full(Int)
    case closed
}
