internal import Archive
internal import Conversation
internal import Testing
internal import TestSupport

@testable internal import Store

@Suite struct `A short list` {
    /// The sessions of user 0, newest first; a slice of 1,000 keeps what it read, one of 2,000 reads all anew.
    private func list(_ bench: Bench, slice: Int, isArchived: Bool? = nil, isTrashed: Bool = false) throws
        -> [SessionRecord]
    {
        var search = FindSessions(owner: .user(0), limit: 500)
        search.slice = slice
        search.isArchived = isArchived
        search.isTrashed = isTrashed
        return try bench.read(search).sessions
    }

    @Test func `shows each session as it is, whatever happened to it since the last one`() throws {
        var random = SeededRandom()
        let bench = try Bench(), names = (0..<12).map { "s\($0)" }
        for name in names { try bench.session(name) }
        for step in 0..<400 {
            let name = names[random.int(0...11)], id = sessionID(name)
            let record = try bench.record(name)
            var change = SessionChange()
            switch random.int(0...8) {
            case 0: try bench.append(name, ["words \(step)"])
            case 1: change.title = .set(random.int(0...3) == 0 ? nil : "title \(step)")
            case 2: change.isArchived = random.int(0...1) == 0
            case 3: change.tags = .set(["t\(step)"])
            case 4: change.model = .set("model-\(step)")
            case 5: _ = try bench.write(TrashSession(id, owner: 0))
            case 6: _ = try bench.write(RestoreSession(id, owner: 0))
            case 7: _ = try bench.write(ForkSession(record.row, at: nil, as: Bench.empty("f\(step)")))
            default:
                let first = try bench.read(ReadMessages(record, .from(1), limit: 1, bytes: 1)).messages.first
                if let first { _ = try bench.write(RewindPath(record.row, before: first.id)) }
            }
            if change != SessionChange() { _ = try bench.write(UpdateSession(id, owner: 0, change)) }
            for (archived, isTrashed) in [(nil, false), (true, false), (nil, true)] as [(Bool?, Bool)] {
                let short = try list(bench, slice: 1_000, isArchived: archived, isTrashed: isTrashed)
                let long = try list(bench, slice: 2_000, isArchived: archived, isTrashed: isTrashed)
                #expect(short == long, "\(random) \(step)")
            }
        }
    }

    @Test func `reads what stands where it stood once in five seconds, and no more of it than it may keep`() {
        var listed = ListedSessions()
        func record(_ number: Int, activity: Int64) -> SessionRecord {
            var session = Bench.empty("s\(number)")
            session.activity = activity
            session.isEmpty = false
            return SessionRecord(session, row: SessionRow(Int64(number)), branch: BranchRow(1))
        }
        listed.forgetOld(now: 60_000_000_000)
        listed.keep(record(1, activity: 7))
        listed.forgetOld(now: 64_999_999_999)
        #expect(listed.session(SessionRow(1), at: 7)?.row == SessionRow(1))
        #expect(listed.session(SessionRow(1), at: 8) == nil)
        listed.forgetOld(now: 65_000_000_000)
        #expect(listed.session(SessionRow(1), at: 7) == nil)
        for number in 0...ListedSessions.most { listed.keep(record(number, activity: 7)) }
        #expect(listed.session(SessionRow(0), at: 7) == nil)
        #expect(listed.session(SessionRow(Int64(ListedSessions.most)), at: 7) != nil)
        var empty = Bench.empty("e")
        empty.activity = 7
        listed.keep(SessionRecord(empty, row: SessionRow(5_000), branch: BranchRow(1)))
        #expect(listed.session(SessionRow(5_000), at: 7) == nil, "its first words may move it nowhere")
    }
}
