import EventLoop
import Posix
import TestSupport
import Testing

/// A clock that stands still until it is told.
private final class ManualClock {
    var now: UInt64 = 1_000
}

@Suite struct `A timer` {
    private let clock = ManualClock()
    private let loop: EventLoop

    init() throws {
        let clock = clock
        loop = try EventLoop(clock: { clock.now })
    }

    /// Lets time pass and runs one turn.
    private func advance(_ milliseconds: UInt64) throws {
        clock.now += milliseconds * 1_000_000
        try loop.turn(waiting: false)
    }

    @Test func `fires when it is due, once, and not before`() throws {
        var fired = 0
        loop.after(milliseconds: 5) { fired += 1 }
        try advance(4)
        #expect(fired == 0)
        try advance(1)
        #expect(fired == 1)
        try advance(100)
        #expect(fired == 1)
    }

    @Test func `fires in the order of its time, and among equals in the order in which it was set`() throws {
        var random = SeededRandom(), fired: [Int] = []
        let delays = (0..<500).map { _ in random.int(0...40) }
        for (index, delay) in delays.enumerated() { loop.after(milliseconds: delay) { fired.append(index) } }
        for _ in 0...40 { try advance(1) }
        let expected = delays.indices.sorted { (delays[$0], $0) < (delays[$1], $1) }
        #expect(fired == expected, "\(random)")
    }

    @Test func `that was cancelled never fires, also when cancelled by another that is due with it`() throws {
        var random = SeededRandom(), fired: Set<Int> = []
        let timers = (0..<300).map { index in
            loop.after(milliseconds: random.int(1...20)) { fired.insert(index) }
        }
        let cancelled = Set((0..<300).filter { _ in random.oneIn(2) })
        loop.after(milliseconds: 0) { for index in cancelled { loop.cancel(timers[index]) } }
        for _ in 0...20 { try advance(1) }
        #expect(fired == Set(0..<300).subtracting(cancelled), "\(random)")
        var ids: [EventLoop.TimerID] = [], isFired = false
        loop.after(milliseconds: 3) { loop.cancel(ids[0]) }
        ids.append(loop.after(milliseconds: 3) { isFired = true })
        try advance(3)
        #expect(!isFired)
    }

    @Test func `may be cancelled after it fired, twice, and while it fires`() throws {
        var fired = 0, ids: [EventLoop.TimerID] = []
        ids.append(
            loop.after(milliseconds: 1) {
                fired += 1
                loop.cancel(ids[0])
            })
        try advance(1)
        loop.cancel(ids[0])
        loop.cancel(ids[0])
        try advance(9)
        #expect(fired == 1)
    }

    @Test(.timeLimit(.minutes(30))) func `set again by itself without delay lets the turn end`() throws {
        var fired = 0
        func again() {
            fired += 1
            loop.after(milliseconds: 0) { again() }
        }
        again()
        try advance(0)
        #expect(fired == 2)
        try advance(0)
        #expect(fired == 3)
    }

    @Test func `set from within a timer fires in its own time`() throws {
        var fired: [String] = []
        loop.after(milliseconds: 1) {
            fired.append("first")
            loop.after(milliseconds: 2) { fired.append("second") }
        }
        try advance(2)
        #expect(fired == ["first"])
        try advance(1)
        #expect(fired == ["first"])
        try advance(1)
        #expect(fired == ["first", "second"])
    }

    @Test func `that was cancelled is forgotten long before it would have been due`() {
        for _ in 0..<10_000 { loop.cancel(loop.after(milliseconds: 600_000) {}) }
        #expect(loop.heldTimers < 200)
    }

    @Test func `among many that were cancelled still fires in order`() throws {
        var random = SeededRandom(), fired: [Int] = []
        for index in 0..<2_000 {
            let id = loop.after(milliseconds: index) { fired.append(index) }
            for _ in 0..<random.int(0...3) {
                loop.cancel(loop.after(milliseconds: random.int(0...3_000)) { fired.append(-1) })
            }
            if !index.isMultiple(of: 7) { loop.cancel(id) }
        }
        try advance(2_000)
        #expect(fired == Array(stride(from: 0, to: 2_000, by: 7)), "\(random)")
    }
}
