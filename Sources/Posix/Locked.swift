internal import CLinux

/// A value guarded by a pthread mutex, with a condition variable for those who wait for it to change.
///
/// `Synchronization.Mutex` raises false races under ThreadSanitizer on Linux; this one does not, so TSan stays a
/// usable gate. Whoever waits costs one `futex`, whoever changes it one more, and none where nobody waits.
///
/// `@unchecked Sendable` holds since the mutex guards `value` and nothing else touches it.
@safe package final class Locked<Value: ~Copyable>: @unchecked Sendable {
    private let monitor: UnsafeMutablePointer<clinux_monitor>
    private var value: Value

    /// Takes the value over; nobody else may keep a reference into it.
    package init(_ value: consuming sending Value) {
        unsafe monitor = clinux_monitor_new()
        self.value = value
    }

    deinit { unsafe clinux_monitor_free(monitor) }

    /// Runs `body` with the value while no other thread can.
    package func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        unsafe clinux_monitor_lock(monitor)
        defer { unsafe clinux_monitor_unlock(monitor) }
        return try body(&value)
    }

    /// Changes the value and has one who waits look at it again.
    package func change(_ body: (inout sending Value) -> Void) {
        withLock { body(&$0) }
        unsafe clinux_monitor_signal(monitor)
    }

    /// What `find` gives, as soon as it gives something; nil where it does not within the time.
    ///
    /// `find` is called once at least and again after each `change`, and may itself change the value. A negative time has
    /// no end.
    package func wait<Found>(milliseconds: Int32, for find: (inout sending Value) -> sending Found?)
        -> sending Found?
    {
        withLock { value in
            if let found = find(&value) { return found }
            // Zero is no moment: it stands for no end.
            let end = milliseconds < 0 ? 0 : Machine.monotonic() &+ UInt64(milliseconds) * 1_000_000
            while true {
                let isInTime = unsafe clinux_monitor_wait(monitor, end)
                if let found = find(&value) { return found }
                if !isInTime { return nil }
            }
        }
    }
}

/// A counted wake-up between threads: `signal` adds one, `wait` takes all there are or blocks.
package final class Wakeup: Sendable {
    /// Becomes readable when a signal is there, for epoll.
    package let fd: Int32

    /// Makes an eventfd; `blocking` says whether `wait` may block.
    package init(blocking: Bool) throws(PosixError) {
        fd = eventfd(0, Int32(EFD_CLOEXEC) | (blocking ? 0 : Int32(EFD_NONBLOCK)))
        guard fd >= 0 else { throw .last("eventfd") }
    }

    deinit { _ = CLinux.close(fd) }

    /// Wakes whoever waits; may be called from any thread.
    package func signal() {
        var one: UInt64 = 1
        _ = unsafe CLinux.write(fd, &one, 8)
    }

    /// Takes all signals, blocking for the first when made so.
    package func wait() {
        var count: UInt64 = 0
        while unsafe CLinux.read(fd, &count, 8) < 0 && errno == EINTR {}
    }
}

/// A thread of the operating system with a name.
package struct Thread: ~Copyable {
    private let handle: pthread_t

    /// Starts a thread that runs `body` to its end; the name shows in `top -H` (15 bytes).
    package init(named name: String, _ body: @escaping @Sendable () -> Void) throws(PosixError) {
        final class Box {
            let name: String
            let body: @Sendable () -> Void
            init(_ name: String, _ body: @escaping @Sendable () -> Void) {
                self.name = name
                self.body = body
            }
        }
        var id = pthread_t()
        let box = unsafe Unmanaged.passRetained(Box(name, body))
        let code = unsafe pthread_create(
            &id, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let box = unsafe Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
                unsafe clinux_thread_name(box.name)
                box.body()
                return nil
            }, unsafe box.toOpaque())
        guard code == 0 else {
            unsafe box.release()
            throw PosixError("pthread_create", name, errno: code)
        }
        handle = id
    }

    /// Waits for the thread's end.
    package consuming func join() { pthread_join(handle, nil) }
}
