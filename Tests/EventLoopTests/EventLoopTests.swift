import EventLoop
import Posix
import TestSupport
import Testing

/// Two ends of a stream, closed with the last reference.
private final class Pair {
    let near: Descriptor, far: Descriptor
    init() throws {
        let ends = try UnixSocket.pair()
        near = Descriptor(owning: ends.0)
        far = Descriptor(owning: ends.1)
    }

    /// Makes the near end readable.
    func poke() throws { _ = try System.send(far.raw, [1]) }
}

@Suite struct `The loop` {
    private let loop: EventLoop
    private let pairs: [Pair]

    init() throws {
        loop = try EventLoop()
        pairs = try (0..<4).map { _ in try Pair() }
    }

    @Test func `calls a handler as long as its descriptor is ready`() throws {
        var seen: [Readiness] = []
        try loop.watch(pairs[0].near.raw, .reading) { seen.append($0) }
        try loop.turn(waiting: false)
        #expect(seen == [])
        try pairs[0].poke()
        try loop.turn(waiting: true)
        try loop.turn(waiting: true)
        #expect(seen == [.reading, .reading])
    }

    @Test func `watches for what was asked last`() throws {
        var seen: [Readiness] = []
        try loop.watch(pairs[0].near.raw, .reading) { seen.append($0) }
        try loop.change(pairs[0].near.raw, .writing)
        try pairs[0].poke()
        try loop.turn(waiting: false)
        try loop.change(pairs[0].near.raw, [.reading, .writing])
        try loop.turn(waiting: false)
        #expect(seen == [.writing, [.reading, .writing]])
    }

    @Test func `says when the other end is gone`() throws {
        var seen: [Readiness] = []
        try loop.watch(pairs[0].near.raw, .reading) { seen.append($0) }
        UnixSocket.shutdown(pairs[0].far.raw)
        try loop.turn(waiting: true)
        #expect(seen.count == 1)
        #expect(seen.first.map { $0.contains(.reading) && !$0.isDisjoint(with: .closed) } == true)
    }

    @Test func `never calls a handler that another one removed in the same turn`() throws {
        var called: [Int] = []
        for (index, pair) in pairs.enumerated() {
            try loop.watch(pair.near.raw, .reading) { _ in
                called.append(index)
                for other in pairs { loop.unwatch(other.near.raw) }
            }
            try pair.poke()
        }
        try loop.turn(waiting: false)
        try loop.turn(waiting: false)
        #expect(called.count == 1)
    }

    @Test func `never gives the event of a closed descriptor to a new one of the same number`() throws {
        var calls = 0, strays = 0
        for pair in pairs {
            try loop.watch(pair.near.raw, .reading) { _ in
                calls += 1
                guard calls == 1 else { return }
                // Every other descriptor is closed, as far as the loop knows, and its number is used anew.
                for other in pairs where other !== pair {
                    loop.unwatch(other.near.raw)
                    try? loop.watch(other.near.raw, .writing) { if $0.contains(.reading) { strays += 1 } }
                }
            }
            try pair.poke()
        }
        try loop.turn(waiting: false)
        #expect(calls == 1)
        #expect(strays == 0)
    }

    @Test func `runs timers after handlers, and then what comes after each turn`() throws {
        var order: [String] = []
        loop.afterEachTurn { order.append("end 1") }
        loop.afterEachTurn { order.append("end 2") }
        loop.after(nanoseconds: 0) { order.append("timer") }
        try loop.watch(pairs[0].near.raw, .reading) { _ in order.append("handler") }
        try pairs[0].poke()
        try loop.turn(waiting: false)
        #expect(order == ["handler", "timer", "end 1", "end 2"])
    }

    @Test(.timeLimit(.minutes(30))) func `runs until it is stopped, and ends its turn`() throws {
        var order: [String] = []
        loop.afterEachTurn { order.append("end") }
        loop.after(milliseconds: 1) {
            order.append("stop")
            loop.stop()
        }
        try loop.run()
        #expect(order.suffix(2) == ["stop", "end"])
    }

    @Test func `takes a handler anew after it was removed`() throws {
        var seen = 0
        try pairs[0].poke()
        for _ in 0..<3 {
            try loop.watch(pairs[0].near.raw, .reading) { _ in seen += 1 }
            try loop.turn(waiting: false)
            loop.unwatch(pairs[0].near.raw)
            loop.unwatch(pairs[0].near.raw)
            try loop.turn(waiting: false)
        }
        #expect(seen == 3)
    }

    @Test func `says which call failed when a descriptor is none`() throws {
        let error = #expect(throws: PosixError.self) { try loop.watch(1_000_000, .reading) { _ in } }
        #expect(error?.call.description == "epoll_ctl")
    }
}
