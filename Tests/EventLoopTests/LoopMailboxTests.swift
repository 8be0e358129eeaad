import EventLoop
import Posix
import Testing

/// A letter of one sender, numbered.
private struct Letter: Sendable, Equatable {
    let sender: Int
    let number: Int
}

@Suite struct `A mailbox` {
    /// Starts threads that each post a run of letters, and gives what a loop received of them, in order.
    private func receive(senders: Int, each count: Int, together: Int) throws -> [Letter] {
        let loop = try EventLoop(), mailbox = try LoopMailbox<Letter>()
        var received: [Letter] = []
        try mailbox.deliver(on: loop) {
            received.append($0)
            if received.count == senders * count { loop.stop() }
        }
        var threads: [Locked<Thread?>] = []
        for sender in 0..<senders {
            threads.append(
                Locked(
                    try Thread(named: "sender-\(sender)") {
                        for start in stride(from: 0, to: count, by: together) {
                            let letters = (start..<(start + together)).map {
                                Letter(sender: sender, number: $0)
                            }
                            if together == 1 { mailbox.post(letters[0]) } else { mailbox.post(letters) }
                        }
                    }))
        }
        loop.after(milliseconds: 20_000) { loop.stop() }  // a lost wake-up fails the test rather than hang it
        try loop.run()
        for thread in threads { thread.withLock { $0.take()?.join() } }
        return received
    }

    @Test(.timeLimit(.minutes(30)), arguments: [1, 2, 8])
    func `loses none of 10,000 letters and keeps each sender's order`(_ senders: Int) throws {
        let received = try receive(senders: senders, each: 10_000 / senders, together: 1)
        for sender in 0..<senders {
            #expect(received.filter { $0.sender == sender }.map(\.number) == Array(0..<(10_000 / senders)))
        }
    }

    @Test(.timeLimit(.minutes(30))) func `keeps letters together that were posted together`() throws {
        let received = try receive(senders: 4, each: 2_000, together: 10)
        #expect(received.count == 8_000)
        for start in stride(from: 0, to: received.count, by: 10) {
            let letters = received[start..<(start + 10)], first = received[start]
            #expect(
                Array(letters) == (0..<10).map { Letter(sender: first.sender, number: first.number + $0) })
        }
    }

    @Test func `delivers in the turn after the post, and a letter posted by a receiver in the next`() throws {
        let loop = try EventLoop(), mailbox = try LoopMailbox<Int>()
        var received: [Int] = []
        try mailbox.deliver(on: loop) {
            received.append($0)
            if $0 == 1 { mailbox.post(3) }
        }
        mailbox.post(1)
        mailbox.post(2)
        #expect(received == [])
        try loop.turn(waiting: false)
        #expect(received == [1, 2])
        try loop.turn(waiting: false)
        #expect(received == [1, 2, 3])
    }

    @Test func `keeps letters that came before anyone delivers, and after it left`() throws {
        let loop = try EventLoop(), mailbox = try LoopMailbox<Int>()
        var received: [Int] = []
        mailbox.post(1)
        try mailbox.deliver(on: loop) { received.append($0) }
        try loop.turn(waiting: false)
        mailbox.leave(loop)
        mailbox.post(2)
        try loop.turn(waiting: false)
        #expect(received == [1])
        try mailbox.deliver(on: loop) { received.append($0) }
        try loop.turn(waiting: false)
        #expect(received == [1, 2])
    }

    /// Else its descriptor would be closed while it is watched, and the next one with its number could not be.
    @Test func `is kept by its loop until it leaves`() throws {
        let loop = try EventLoop()
        weak var kept: LoopMailbox<Int>?
        func deliver() throws {
            let mailbox = try LoopMailbox<Int>()
            kept = mailbox
            try mailbox.deliver(on: loop) { _ in }
        }
        try deliver()
        #expect(kept != nil)
        kept?.leave(loop)
        #expect(kept == nil)
    }
}
