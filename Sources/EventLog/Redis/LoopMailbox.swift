import NIOCore
import Synchronization

/// What threads of the store have for the connections of one event loop.
///
/// A commit answers many connections at once: their letters are collected, the loop is woken once, and each connection
/// is flushed once.
final class LoopMailbox: Sendable {
    struct Letter: Sendable {
        enum Content: Sendable {
            case answer(EmbeddedAnswer, EmbeddedTicket)
            case message(EmbeddedMessage)
            case unblock(EmbeddedAnswer)
            case close
        }

        var peer: NIOLoopBound<EmbeddedRedisPeer>
        var content: Content
    }

    private struct State {
        var letters: [Letter] = []
        var isWoken = false
    }

    private let loop: any EventLoop
    private let state = Mutex(State())

    init(loop: any EventLoop) { self.loop = loop }

    func put(_ letter: Letter) {
        let wakes = state.withLock { state in
            state.letters.append(letter)
            defer { state.isWoken = true }
            return !state.isWoken
        }
        if wakes { loop.execute { self.empty() } }
    }

    private func empty() {
        let letters = state.withLock { state in
            defer { state = State() }
            return state.letters
        }
        for letter in letters { letter.peer.value.receive(letter.content) }
        for letter in letters { letter.peer.value.flush() }
    }
}
