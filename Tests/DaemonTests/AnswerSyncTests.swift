import Archive
import EventLoop
import Testing

@testable import Daemon

@Suite struct `Pieces of answers that are not on the disk` {
    /// What happened, and when it is.
    private final class Notes {
        var time: UInt64 = 0
        var synced: [TurnRow] = []
    }

    private struct Bench {
        let notes = Notes()
        let loop: EventLoop
        let syncs: AnswerSyncs
        var synced: [TurnRow] { notes.synced }

        init() throws {
            loop = try EventLoop { [notes] in notes.time }
            syncs = AnswerSyncs(loop) { [notes] in notes.synced.append($0) }
        }

        func pass(milliseconds: UInt64) throws {
            notes.time += milliseconds * 1_000_000
            loop.fireTimers()
        }
    }

    @Test func `get there together, 250 ms behind the first of them`() throws {
        let bench = try Bench()
        var asked = 0
        for number in 1...64 {
            bench.syncs.want(TurnRow(Int64(number))) {
                asked += 1
                return true
            }
            try bench.pass(milliseconds: 3)
        }
        #expect(bench.synced.isEmpty)
        try bench.pass(milliseconds: 250 - 64 * 3)
        #expect(bench.synced == [TurnRow(1)] && asked == 64)
        try bench.pass(milliseconds: 1_000)
        #expect(bench.synced.count == 1, "nobody wants more")
    }

    @Test func `wait no longer since others were brought there before`() throws {
        let bench = try Bench()
        bench.syncs.want(TurnRow(1)) { true }
        try bench.pass(milliseconds: 250)
        bench.syncs.want(TurnRow(2)) { true }
        try bench.pass(milliseconds: 249)
        #expect(bench.synced == [TurnRow(1)])
        try bench.pass(milliseconds: 1)
        #expect(bench.synced == [TurnRow(1), TurnRow(2)])
    }

    @Test func `are left to the end of their turn, and to a write that reaches the disk`() throws {
        let bench = try Bench()
        bench.syncs.want(TurnRow(1)) { true }
        bench.syncs.want(TurnRow(2)) { false }
        bench.syncs.want(TurnRow(3)) { true }
        bench.syncs.forget(TurnRow(1))
        try bench.pass(milliseconds: 250)
        #expect(
            bench.synced == [TurnRow(3)],
            "the second one's are there already, the first one's come with its end")

        bench.syncs.want(TurnRow(4)) { true }
        bench.syncs.forget(TurnRow(4))
        try bench.pass(milliseconds: 250)
        #expect(bench.synced == [TurnRow(3)])
    }
}
