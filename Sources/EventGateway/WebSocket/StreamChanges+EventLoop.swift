import NIOCore
import Synchronization

/// Changes for what lives on an event loop.
extension StreamChanges {
    /// Has `body` called on the loop after commits to the stream. A loop that has not yet come to the last word is not
    /// told again.
    func observe(
        _ stream: [UInt8], on loop: any EventLoop, _ body: @escaping @Sendable () -> Void
    ) -> Observation {
        let word = Word()
        return observe(stream) {
            guard !word.isUnderWay.exchange(true, ordering: .acquiringAndReleasing) else { return }
            loop.execute {
                // Before the look: what comes during it is told again.
                word.isUnderWay.store(false, ordering: .sequentiallyConsistent)
                body()
            }
        }
    }

    private final class Word: Sendable {
        let isUnderWay = Atomic(false)
    }
}
