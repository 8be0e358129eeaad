internal import CLinux

/// A value guarded by a pthread mutex.
///
/// `Synchronization.Mutex` raises false races under ThreadSanitizer on Linux; this one does not, so TSan stays a
/// usable gate.
///
/// `@unchecked Sendable` holds since the mutex guards `value` and nothing else touches it.
@safe package final class Locked<Value: ~Copyable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    /// Takes the value over; nobody else may keep a reference into it.
    package init(_ value: consuming sending Value) {
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        self.value = value
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Runs `body` with the value while no other thread can.
    package func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&value)
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
