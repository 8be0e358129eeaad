internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A check of the database` {
    @Test func `says what is wrong and what mends it, and mends it when told to`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        #expect(try home.convo("send", "-q", "--new", "talk", "words").code == 0)
        let fine = try home.convo("check")
        #expect(
            fine.code == 0 && fine.said.contains("all is as it should be") || fine.said.isEmpty, "\(fine)")
        _ = try home.convo("stop")
        let database = home.directory.file(".local/share/convod/convod.db")
        try shell(
            "sqlite3", database,
            "UPDATE session SET head = 1; UPDATE message SET total = 1 WHERE key & 4294967295 = 2")
        let wrong = try home.convo("check")
        #expect(wrong.code == 1)
        #expect(
            wrong.said.contains("head\ttalk\t") && wrong.said.contains("total\tmessage 2 of branch 1\t"),
            "\(wrong)")
        #expect(try home.convo("doctor").said.contains("convo check --repair"))
        #expect(try home.convo("check", "--repair").code == 1, "nobody can be asked")
        let mended = try home.convo("check", "--repair", "-y")
        #expect(mended.code == 0 && mended.said.contains("mended; all is as it should be"), "\(mended)")
        #expect(try home.convo("check", "--json").said.contains("\"findings\":[]"))
        #expect(try home.convo("show", "talk").said.contains("words"))
    }
}
