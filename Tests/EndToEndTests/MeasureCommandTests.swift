internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `What operators count` {
    private func home() throws -> Home {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        for name in ["small", "large"] {
            #expect(
                try home.convo(
                    "send", "-q", "--new", name,
                    name == "large" ? String(repeating: "word ", count: 2_000) : "word"
                ).code == 0)
        }
        return home
    }

    @Test func `is the size of sessions, of days and of the file (N019)`() throws {
        let home = try home()
        let told = try Fixtures.json(try home.convo("stats", "--json").said)
        #expect(told["sessions"]?.int == 2 && told["messages"]?.int == 4)
        #expect(told["largest"]?.elements.map { $0["sessionId"]?.string ?? "" } == ["large", "small"])
        #expect(told["days"]?.count == 30 && (told["file"]?["bytes"]?.int ?? 0) > 4_096)
        let database = home.directory.file(".local/share/convod/convod.db")
        let sum = try shell("sqlite3", database, "SELECT sum(length(CAST(content AS BLOB))) FROM message")
        #expect(told["bytes"]?.int == Int(sum.filter(\.isNumber)))
        let table = try home.convo("stats", "-n", "1").said
        #expect(
            table.contains("2 sessions with 4 messages") && table.contains("large\t")
                && !table.contains("small\t"), "\(table)")
    }

    @Test func `is told as OpenMetrics text`() throws {
        let home = try home(), file = home.directory.file("convod.prom")
        #expect(try home.convo("metrics", "-q", "-o", file).code == 0)
        #expect(try Files.status(file)?.mode == 0o644, "a collector is another user")
        let text = TestSupport.text(try Files.read(file))
        #expect(text.hasSuffix("# EOF\n"))
        #expect(text.contains("convod_prompts_total{upstream=\"echo\",model=\"echo\"} 2\n"), "\(text)")
        #expect(
            text.contains("convod_requests_total{method=\"session/prompt\",outcome=\"done\"} 2\n"), "\(text)")
    }

    @Test func `tells the models apart that are used most, however many names were asked for`() throws {
        let home = try home(), file = home.directory.file("convod.prom")
        let database = home.directory.file(".local/share/convod/convod.db")
        try shell(
            "sqlite3", database,
            """
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
            INSERT INTO usage (owner, day, session, upstream, model, turns, input_tokens, output_tokens, cached_tokens, cost)
                SELECT 7, 20000, i, 'echo', 'a' || i, 1, 3, 2, 0, 0 FROM n
            """)
        #expect(try home.convo("metrics", "-q", "-o", file).code == 0)
        let text = TestSupport.text(try Files.read(file))
        let prompts = text.split(separator: "\n").filter { $0.hasPrefix("convod_prompts_total{") }
        #expect(prompts.contains("convod_prompts_total{upstream=\"echo\",model=\"echo\"} 2"))
        #expect(prompts.contains("convod_prompts_total{upstream=\"echo\",model=\"(others)\"} 1401"))
        #expect(prompts.count == 101 && text.utf8.count < 200_000)
    }

    @Test func `is who changed what, as far back as is kept`() throws {
        let home = try home()
        try shell(
            "sqlite3", home.directory.file(".local/share/convod/convod.db"),
            """
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
            INSERT INTO audit (at, uid, pid, method, session, outcome)
                SELECT 1000 + i, \(Process.userID), 1, '_convod/session/set', 's' || i, 'done' FROM n
            """)
        let all = try home.convo("audit", "--jsonl", "-n", "5000").said.split(separator: "\n")
        #expect(all.count >= 2_500 && Set(all).count == all.count)
        #expect(all.contains { $0.contains(#""s1""#) } && all.contains { $0.contains(#""s2500""#) })
        let some = try home.convo("audit", "--jsonl", "-n", "1500").said.split(separator: "\n")
        #expect(some.count == 1_500 && some.elementsEqual(all.prefix(1_500)))
    }

    @Test func `is who changed what`() throws {
        let home = try home()
        #expect(try home.convo("rename", "small", "other").code == 0)
        #expect(try home.convo("purge", "large").code == 0)
        #expect(try home.convo("send", "-q", "--ephemeral", "--new", "hidden", "words").code == 0)
        _ = try home.convo("rename", "hidden", "x")
        let changes = try Fixtures.json(try home.convo("audit", "--json").said).elements.map {
            "\($0["method"]?.string ?? "") \($0["session"]?.string ?? "") \($0["outcome"]?.string ?? "") \($0["uid"]?.int ?? -1)"
        }
        let uid = Process.userID
        #expect(changes.contains("_convod/session/set small done \(uid)"), "\(changes)")
        #expect(changes.contains("_convod/session/purge large done \(uid)"), "\(changes)")
        #expect(!changes.contains { $0.contains("hidden") }, "\(changes)")
        let told = try home.convo("audit").said
        #expect(told.contains("\tpurge\tlarge\tdone") && !told.contains("session/"), "\(told)")
        #expect(
            try home.convo("audit", "-s", "small", "--jsonl").said.split(separator: "\n").allSatisfy {
                $0.contains("\"small\"")
            })
    }
}
