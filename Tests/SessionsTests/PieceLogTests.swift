import Sessions
import Testing

@Suite struct `A log of pieces` {
    private func log() -> PieceLog { PieceLog(.init(unstored: 100, unsynced: 10)) }

    @Test func `counts pieces over all writes`() {
        var log = log()
        let one = log.add(count: 2, bytes: 3), two = log.add(count: 1, bytes: 4)
        #expect((one.first, one.end, two.first, two.end) == (0, 2, 2, 3))
    }

    @Test func `goes to the disk after so many bytes, or when the time has come`() {
        var log = log()
        let none = log.syncDue()
        let synced = [9, 1, 9].map { log.add(count: 1, bytes: $0).isSynced }
        #expect(!none && synced == [false, true, false], "what is on the disk counts no more")
        let due = [log.syncDue(), log.syncDue()], next = log.add(count: 1, bytes: 9)
        #expect(due == [true, false] && !next.isSynced)
    }

    @Test func `makes the upstream wait once, and lets it go on once half of it is stored (B053)`() {
        var log = log(), writes: [PieceLog.Write] = []
        for _ in 0..<12 { writes.append(log.add(count: 1, bytes: 10)) }
        #expect(writes.map(\.pauses) == [Bool](repeating: false, count: 10) + [true, false])
        var answers: [Bool] = []
        for write in writes { answers.append(log.stored(write)) }
        #expect(answers.firstIndex(of: true) == 7 && answers.count { $0 } == 1)
    }
}
