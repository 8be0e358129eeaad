internal import Glibc
internal import Posix

/// Runs a body on several threads at once and gives what each returned, in the order of their numbers.
package func onThreads<Value: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int) -> Value
) throws -> [Value] {
    try startThreads(count, body).wait()
}

/// Starts a body on several threads; `wait` of what is returned gives their values.
package func startThreads<Value: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (Int) -> Value
) throws -> Threads<Value> {
    let threads = try Threads<Value>(count: count)
    for number in 0..<count {
        try startUnjoined("test-\(number)") { threads.finish(number, body(number)) }
    }
    return threads
}

/// Starts a thread that nobody waits for.
package func startUnjoined(_ name: String, _ body: @escaping @Sendable () -> Void) throws {
    _ = try Thread(named: name) {
        pthread_detach(pthread_self())
        body()
    }
}

/// Threads that were started together.
package final class Threads<Value: Sendable>: Sendable {
    private let values: Locked<[Int: Value]>
    private let wakeup: Wakeup
    private let count: Int

    fileprivate init(count: Int) throws {
        self.count = count
        values = Locked<[Int: Value]>([:])
        wakeup = try Wakeup(blocking: true)
    }

    fileprivate func finish(_ number: Int, _ value: Value) {
        values.withLock { $0[number] = value }
        wakeup.signal()
    }

    /// Whether all have ended.
    package var isDone: Bool { values.withLock { $0.count } == count }

    /// Waits for the end of all.
    package func wait() -> [Value] {
        while !isDone { wakeup.wait() }
        return values.withLock { values in (0..<count).compactMap { values[$0] } }
    }
}
