import Posix
import TestSupport
import Testing

@Suite struct `A locked value` {
    @Test func `loses no change of eight threads`() throws {
        let count = Locked(0), threads = 8, changes = 20_000
        var running: [Locked<Thread?>] = []
        for number in 0..<threads {
            let thread = try Thread(named: "locked-\(number)") {
                for _ in 0..<changes { count.withLock { $0 += 1 } }
            }
            running.append(Locked(thread))
        }
        for thread in running { thread.withLock { $0.take()?.join() } }
        #expect(count.withLock { $0 } == threads * changes)
    }

    @Test func `is free again after an error`() {
        struct Oops: Error {}
        let value = Locked([1])
        #expect(throws: Oops.self) {
            try value.withLock { (value) throws(Oops) in
                value.append(2)
                throw Oops()
            }
        }
        #expect(value.withLock { $0 } == [1, 2])
    }
}

@Suite struct `A locked value that is waited for` {
    @Test(.timeLimit(.minutes(30))) func `shows each change to one that waits for it`() throws {
        let there = Locked(0), back = Locked(0), rounds = 2_000
        let thread = try Thread(named: "waiting") {
            for round in 1...rounds {
                _ = there.wait(milliseconds: -1) { $0 == round ? true : nil }
                back.change { $0 = round }
            }
        }
        for round in 1...rounds {
            there.change { $0 = round }
            #expect(back.wait(milliseconds: 30_000) { $0 == round ? round : nil } == round)
        }
        thread.join()
    }

    @Test func `looks once before it waits, and takes with it what it found`() {
        let jobs = Locked([1, 2])
        func take() -> [Int]? {
            jobs.wait(milliseconds: 0) { jobs in
                defer { jobs = [] }
                return jobs.isEmpty ? nil : jobs
            }
        }
        #expect(take() == [1, 2])
        #expect(take() == nil)
    }

    @Test func `waits no longer than it is told, however often something else changes`() throws {
        let value = Locked(0), start = Machine.monotonic()
        let thread = try Thread(named: "waiting") { for _ in 0..<1_000 { value.change { $0 += 1 } } }
        let found = value.wait(milliseconds: 30) { $0 > 1_000 ? true : nil }
        thread.join()
        #expect(found == nil)
        #expect(Machine.monotonic() - start >= 30_000_000)
    }
}

@Suite struct `A wake-up` {
    @Test func `makes its descriptor readable until it is taken, however often it was given`() throws {
        let wakeup = try Wakeup(blocking: false)
        #expect(try System.wait(readable: [wakeup.fd], milliseconds: 0) == [])
        for _ in 0..<3 { wakeup.signal() }
        #expect(try System.wait(readable: [wakeup.fd], milliseconds: 0) == [wakeup.fd])
        wakeup.wait()
        #expect(try System.wait(readable: [wakeup.fd], milliseconds: 0) == [])
        wakeup.wait()  // takes nothing and does not block
    }

    @Test(.timeLimit(.minutes(30))) func `given before anyone waits is not lost`() throws {
        let wakeup = try Wakeup(blocking: true)
        wakeup.signal()
        wakeup.wait()
    }

    @Test(.timeLimit(.minutes(30))) func `reaches a thread that waits`() throws {
        let there = try Wakeup(blocking: true), back = try Wakeup(blocking: true), rounds = 2_000
        let thread = try Thread(named: "wakeup") {
            for _ in 0..<rounds {
                there.wait()
                back.signal()
            }
        }
        for _ in 0..<rounds {
            there.signal()
            back.wait()
        }
        thread.join()
    }
}
