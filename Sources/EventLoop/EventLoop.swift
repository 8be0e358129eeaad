/// EventLoop waits on one thread for descriptors, timers and posts from other threads.
internal import CLinux
package import Posix

/// What a descriptor is watched for, or has become.
package struct Readiness: OptionSet, Sendable {
    /// Bits of epoll, as in `EPOLLIN` (epoll_ctl(2)).
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    /// EPOLLIN: there is something to read, or an end of file.
    package static let reading = Readiness(rawValue: 0x001)
    /// EPOLLOUT: a write would take something without waiting.
    package static let writing = Readiness(rawValue: 0x004)
    /// EPOLLET: only what came since is told, so that an eventfd need not be read (epoll(7), edge-triggered).
    package static let onceEach = Readiness(rawValue: 1 << 31)
    /// The other end is gone, or the descriptor has an error.
    package static let closed = Readiness(rawValue: 0x008 | 0x010)
}

/// One thread's loop over epoll.
///
/// Everything but `LoopMailbox.post` belongs to the thread that calls `run`.
///
/// - Invariant: handlers run one after the other, on one thread; a handler that was removed is never called again.
@safe package final class EventLoop {
    /// Names one timer; used to cancel it.
    package struct TimerID: Hashable, Sendable { fileprivate let number: UInt64 }

    private struct Timer {
        let due: UInt64
        let id: TimerID

        /// Earlier, or set earlier for the same moment.
        static func < (a: Timer, b: Timer) -> Bool { (a.due, a.id.number) < (b.due, b.id.number) }
    }

    private let epoll: Descriptor
    private var handlers: [Int32: Handler] = [:]
    private var timers: [Timer] = []  // a binary heap, earliest first
    private var actions: [TimerID: () -> Void] = [:]
    private var nextTimer: UInt64 = 1
    private var afterEach: [() -> Void] = []
    private var isStopped = false
    /// Whether no descriptor was ready in this turn.
    package private(set) var isQuiet = true
    /// As many as there may be clients that ask without end, so that one who seldom asks is seen in the same turn.
    private var events = unsafe [epoll_event](repeating: epoll_event(), count: 1_024)
    private var ready: [(handler: Handler, events: Readiness)] = []
    private let clock: () -> UInt64

    private final class Handler {
        let call: (Readiness) -> Void
        var isLive = true
        init(_ call: @escaping (Readiness) -> Void) { self.call = call }
    }

    /// Makes a loop; `clock` gives monotonic nanoseconds and is replaced in tests.
    package init(clock: @escaping () -> UInt64 = Machine.monotonic) throws(PosixError) {
        let fd = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard fd >= 0 else { throw .last("epoll_create1") }
        epoll = Descriptor(owning: fd)
        self.clock = clock
    }

    /// Monotonic nanoseconds now.
    package var now: UInt64 { clock() }

    /// Calls `handler` whenever the descriptor is ready for what is asked, level-triggered unless `onceEach` is asked too.
    package func watch(_ fd: Int32, _ wanted: Readiness, _ handler: @escaping (Readiness) -> Void)
        throws(PosixError)
    {
        precondition(handlers[fd] == nil, "a descriptor is watched once")
        try control(EPOLL_CTL_ADD, fd, wanted)
        handlers[fd] = Handler(handler)
    }

    /// Changes what a watched descriptor is watched for.
    package func change(_ fd: Int32, _ wanted: Readiness) throws(PosixError) {
        precondition(handlers[fd] != nil, "only a watched descriptor can be changed")
        try control(EPOLL_CTL_MOD, fd, wanted)
    }

    /// Stops watching; call it before the descriptor is closed.
    package func unwatch(_ fd: Int32) {
        guard let handler = handlers.removeValue(forKey: fd) else { return }
        handler.isLive = false
        try? control(EPOLL_CTL_DEL, fd, [])
    }

    /// Runs `action` once, `nanoseconds` from now at the earliest.
    @discardableResult
    package func after(nanoseconds: UInt64, _ action: @escaping () -> Void) -> TimerID {
        let id = TimerID(number: nextTimer)
        nextTimer += 1
        actions[id] = action
        push(Timer(due: now &+ nanoseconds, id: id))
        return id
    }

    /// Runs `action` once, `milliseconds` from now at the earliest.
    @discardableResult
    package func after(milliseconds: Int, _ action: @escaping () -> Void) -> TimerID {
        after(nanoseconds: UInt64(min(max(0, milliseconds), EventLoop.longest)) * 1_000_000, action)
    }

    /// Milliseconds of a hundred years: no timer waits longer, and no sum of times leaves 64 bits.
    private static let longest = 3_155_760_000_000

    /// Takes a timer back; one that ran already is fine.
    package func cancel(_ timer: TimerID) {
        actions[timer] = nil
        if timers.count > 2 * actions.count + 64 { dropCancelled() }
    }

    /// Most timers are cancelled long before they are due; without this they would pile up until then.
    private func dropCancelled() {
        timers = timers.filter { actions[$0.id] != nil }.sorted(by: <)  // a sorted array is a heap
    }

    /// Runs `action` at the end of every turn of the loop, after all handlers and before waiting again.
    package func afterEachTurn(_ action: @escaping () -> Void) { afterEach.append(action) }

    /// Ends `run` after the current turn.
    package func stop() { isStopped = true }

    /// Runs until `stop`.
    package func run() throws(PosixError) {
        while !isStopped { try turn(waiting: true) }
    }

    /// Runs one turn: waits for what is ready (not at all when `waiting` is false), then due timers.
    package func turn(waiting: Bool) throws(PosixError) {
        let timeout = waiting ? untilNextTimer() : 0
        let n = unsafe events.withUnsafeMutableBufferPointer {
            guard let base = $0.baseAddress else { return Int32(0) }
            return unsafe epoll_wait(epoll.raw, base, Int32($0.count), timeout)
        }
        if n < 0 && errnoNow() != EINTR { throw .last("epoll_wait") }
        // Handlers are looked up before any is called: one may close a descriptor and another take its number over.
        var ready = self.ready
        self.ready = []  // a handler may run a turn of its own
        for index in 0..<max(0, Int(n)) {
            guard let handler = unsafe handlers[events[index].data.fd] else { continue }
            unsafe ready.append((handler, Readiness(rawValue: events[index].events)))
        }
        isQuiet = n <= 0
        for (handler, events) in ready where handler.isLive { handler.call(events) }
        ready.removeAll(keepingCapacity: true)
        self.ready = ready
        fireTimers()
        for action in afterEach { action() }
    }

    /// Nanoseconds of timers in a turn; a single one may take longer.
    private static let timerSlice: UInt64 = 1_000_000

    /// Runs the timers that are due now, as far as a slice of time reaches; those that they set run in a later turn.
    package func fireTimers() {
        let moment = now, end = nextTimer
        while let first = timers.first, first.due <= moment, first.id.number < end {
            pop()
            guard let action = actions.removeValue(forKey: first.id) else { continue }
            action()
            if now &- moment >= EventLoop.timerSlice { return }
        }
    }

    /// How many timers are held, cancelled ones that were not dropped yet included.
    package var heldTimers: Int { timers.count }

    private func untilNextTimer() -> Int32 {
        while let first = timers.first, actions[first.id] == nil { pop() }
        guard let first = timers.first else { return -1 }
        let moment = now
        guard first.due > moment else { return 0 }
        return Int32(min((first.due - moment + 999_999) / 1_000_000, 3_600_000))
    }

    private func control(_ operation: Int32, _ fd: Int32, _ wanted: Readiness) throws(PosixError) {
        var event = unsafe epoll_event()
        unsafe event.events = wanted.rawValue
        unsafe event.data.fd = fd
        guard unsafe epoll_ctl(epoll.raw, operation, fd, &event) == 0 else { throw .last("epoll_ctl") }
    }

    private func push(_ timer: Timer) {
        timers.append(timer)
        var child = timers.count - 1
        while child > 0, timers[child] < timers[(child - 1) / 2] {
            timers.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private func pop() {
        let last = timers.removeLast()
        guard !timers.isEmpty else { return }
        timers[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < timers.count && timers[child] < timers[least] {
                least = child
            }
            if least == parent { return }
            timers.swapAt(parent, least)
            parent = least
        }
    }
}

private func errnoNow() -> Int32 { clinux_errno() }
