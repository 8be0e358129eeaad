package import Posix

/// Brings values from other threads to a loop, in the order they were posted.
///
/// Posts that arrive before the loop looks are handed over together, for one wake-up.
package final class LoopMailbox<Letter: Sendable>: Sendable {
    private let waiting = Locked<[Letter]>([])
    private let wakeup: Wakeup

    /// Makes an empty mailbox.
    package init() throws(PosixError) { wakeup = try Wakeup(blocking: false) }

    /// Leaves a letter; may be called from any thread.
    package func post(_ letter: Letter) { post([letter]) }

    /// Leaves several letters, which stay together.
    package func post(_ letters: [Letter]) {
        let isFirst = waiting.withLock { waiting in
            defer { waiting += letters }
            return waiting.isEmpty
        }
        if isFirst { wakeup.signal() }
    }

    /// Has `loop` hand every letter to `receive`, on the loop's thread; the loop keeps the mailbox until it leaves.
    package func deliver(on loop: EventLoop, to receive: @escaping (Letter) -> Void) throws(PosixError) {
        // Told once for each signal, and the letters say by themselves what is there: the signals are never read.
        try loop.watch(wakeup.fd, [.reading, .onceEach]) { [self] _ in
            let letters = waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
            for letter in letters { receive(letter) }
        }
    }

    /// Stops the deliveries.
    package func leave(_ loop: EventLoop) { loop.unwatch(wakeup.fd) }
}
