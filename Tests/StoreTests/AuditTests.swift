internal import Archive
internal import Conversation
internal import TestSupport
internal import Testing

@testable internal import Store

@Suite struct `Who changed what` {
    private let bench: Bench

    init() throws { bench = try Bench() }

    private func note(_ user: UserID, _ session: String) throws {
        try bench.write(
            NoteAudit(
                AuditEntry(
                    at: 1, user: user, pid: 1, method: "_convod/session/purge", session: session,
                    outcome: "not_found")))
    }

    @Test func `is not pushed out by what another user asks in vain, however often`() throws {
        try note(1, "of-one")
        try shell(
            "sqlite3", bench.path,
            """
            INSERT INTO audit (at, uid, pid, method, session, outcome)
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 110500)
            SELECT 1, 2, 1, 'm', 'x', 'not_found' FROM n
            """)
        for _ in 0..<1_100 { try note(2, "y") }
        let kept = try shell(
            "sqlite3", bench.path, "SELECT uid, count(*) FROM audit GROUP BY uid ORDER BY uid")
        let lines = kept.split(separator: "\n")
        #expect(lines.first == "1|1", "\(kept)")
        let others = lines.last.flatMap { $0.split(separator: "|").last }.flatMap { Int($0) } ?? 0
        #expect((100_000...108_000).contains(others), "\(kept)")
        let list = AuditList(user: nil, session: "of-one", since: .min, limit: 10)
        #expect(try bench.read(list).map(\.user) == [1])
    }

    @Test func `to a session is told in the order of the changes, page by page, whoever made them`() throws {
        for step in 0..<30 { try note(UserID(UInt32(step * 7 % 5)), step % 4 == 3 ? "other" : "s") }
        let all = try bench.read(AuditList(user: nil, session: nil, since: .min, limit: 100))
            .filter { $0.session == "s" }
        var pages: [AuditEntry] = [], before: Int64?
        while true {
            let page = try bench.read(
                AuditList(user: nil, session: "s", since: .min, before: before, limit: 4))
            pages += page
            guard let last = page.last else { break }
            before = last.id
        }
        #expect(pages == all && pages.count == 23)
        let steps = try bench.read(AuditList(user: 3, session: "s", since: .min, limit: 100))
        #expect(steps == all.filter { $0.user == 3 })
    }

    @Test func `is told in few bytes, whatever an older version kept`() throws {
        try note(1, String(repeating: "x", count: 1 << 20))
        let list = try bench.read(AuditList(user: nil, session: nil, since: .min, limit: 10))
        #expect(list.map { $0.session?.utf8.count } == [256])
    }
}
