package import Posix

/// Brings values from other threads to a loop, in the order they were posted.
///
/// Posts that arrive before the loop looks are handed over together, for one wake-up.
package final class LoopMailbox<Letter: Sendable>: Sendable {
    private let waiting = Locked<[Letter]>([])
    private let wakeup: Wakeup
    /// Whether nothing is handed over any more.
    private let hasLeft = Locked(false)

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
        hasLeft.withLock { $0 = false }
        let delivery = Delivery(loop, receive, hasLeft: { [self] in hasLeft.withLock { $0 } })
        // Told once for each signal, and the letters say by themselves what is there: the signals are never read.
        try loop.watch(wakeup.fd, [.reading, .onceEach]) { [self] _ in
            let letters = waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
            delivery.deliver(letters)
        }
    }

    /// Letters that were taken out: a slice of time of them in a turn of the loop, so that others have theirs between.
    private final class Delivery {
        /// Nanoseconds of a slice; a single letter may take longer.
        private static var slice: UInt64 { 1_000_000 }

        private let loop: EventLoop
        private let receive: (Letter) -> Void
        private let hasLeft: () -> Bool
        /// Those that are left for the next turns, in their order.
        private var rest: [Letter] = []
        private var isDue = false

        init(_ loop: EventLoop, _ receive: @escaping (Letter) -> Void, hasLeft: @escaping () -> Bool) {
            self.hasLeft = hasLeft
            self.loop = loop
            self.receive = receive
        }

        func deliver(_ letters: [Letter]) {
            if isDue { rest += letters } else { handOver(letters) }
        }

        private func handOver(_ letters: [Letter]) {
            let start = letters.count > 1 ? loop.now : 0
            var place = 0
            while place < letters.count {
                receive(letters[place])
                place += 1
                if place < letters.count, loop.now &- start >= Delivery.slice {
                    return leave(Array(letters[place...]))
                }
            }
        }

        private func leave(_ letters: [Letter]) {
            // What a letter leads to may turn the loop itself, and then others may be left already.
            rest = letters + rest
            if isDue { return }
            isDue = true
            loop.after(nanoseconds: 0) { [self] in
                isDue = false
                if hasLeft() { return }
                let letters = rest
                rest = []
                handOver(letters)
            }
        }
    }

    /// Stops the deliveries.
    package func leave(_ loop: EventLoop) {
        hasLeft.withLock { $0 = true }
        loop.unwatch(wakeup.fd)
    }
}
