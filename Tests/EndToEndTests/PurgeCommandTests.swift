internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `What is removed for good` {
    @Test func `goes by its whole ID, and where nobody can be asked only with a yes`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        for name in ["first", "second"] {
            #expect(try home.convo("send", "-q", "--new", name, "words").code == 0)
        }
        #expect(try home.convo("purge", "firs").code == 1)
        #expect(try home.convo("purge", "nothing").code == 3)
        #expect(
            try home.convo("send", "-q", "--new", "k", "words").code == 0
                && home.convo("rm", "-q", "k").code == 0)
        #expect(try home.convo("purge", "-y", "k").code == 0, "a short ID, in the trash")
        let gone = try home.convo("purge", "first")
        #expect(gone.code == 0 && gone.said.contains("'first' is gone with 2 messages"), "\(gone)")
        #expect(try home.convo("ls", "-q").said.split(separator: "\n").count == 1)
        _ = try home.convo("rm", "-q", "second")
        #expect(try home.convo("purge", "second").code == 1)
        #expect(try home.convo("purge", "-y", "second").code == 0)
        #expect(try home.convo("restore", "second").code == 3)
    }

    @Test func `goes out of the trash by its name where it was archived too, and is listed and found there`()
        throws
    {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "-q", "--new", "put-away", "plantedword").code == 0)
        #expect(try home.convo("archive", "-q", "put-away").code == 0)
        #expect(try home.convo("rm", "-q", "put-away").code == 0)
        #expect(try home.convo("ls", "--trashed").said.contains("put-away"))
        #expect(try home.convo("search", "plantedword", "--trashed").said.contains("put-away"))
        #expect(try home.convo("ls", "--trashed", "--archived").said.contains("put-away"))
        #expect(try home.convo("ls", "--archived").said.contains("put-away") == false)
        #expect(try home.convo("purge", "-y", "put-away").code == 0)
        #expect(try home.convo("ls", "--trashed").said.contains("put-away") == false)
    }

    @Test func `and cannot leave the file yet says so, and goes by itself when it can`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        #expect(try home.convo("send", "-q", "--new", "talk", "my plantedsecret").code == 0)
        let database = home.directory.file(".local/share/convod/convod.db")
        try shell(
            "sqlite3", database,
            "CREATE TRIGGER stop BEFORE DELETE ON session BEGIN SELECT RAISE(ABORT, 'held'); END")
        let told = try home.convo("purge", "-y", "talk")
        #expect(
            told.code == 1
                && told.said.contains("is in no list any more, but in the file still"),
            "\(told)")
        #expect(try home.convo("ls", "-q").said.isEmpty)
        #expect(try home.convo("logs").said.contains("background_work_failed"))
        try shell("sqlite3", database, "DROP TRIGGER stop")
        try soon("it is gone", milliseconds: 10_000) {
            try shell("sqlite3", database, "SELECT count(*) FROM session") == "0\n"
        }
    }

    @Test func `may be what one message says`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        #expect(try home.convo("send", "-q", "--new", "talk", "my plantedsecret").code == 0)
        #expect(try home.convo("redact", "1").code == 2)
        #expect(try home.convo("redact", "-s", "tal", "1").code == 3)
        #expect(try home.convo("redact", "-s", "talk", "1").code == 1, "nobody can be asked")
        let gone = try home.convo("redact", "-y", "-s", "talk", "1", "2")
        #expect(
            gone.code == 0 && gone.said.contains("message 1 of 'my plantedsecret' is empty now"), "\(gone)")
        #expect(try home.convo("show", "talk").said.contains("deleted"))
        #expect(try home.convo("search", "-q", "plantedsecret").said.isEmpty)
        #expect(try !home.convo("export", "talk").said.contains("plantedsecret"))
    }

    @Test func `is counted before, and is that then`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        for name in ["first", "second"] {
            #expect(try home.convo("send", "-q", "--new", name, "words").code == 0)
        }
        _ = try home.convo("rm", "-q", "first")
        let would = try home.convo("prune", "--dry-run")
        #expect(would.said.hasPrefix("would remove 1 session with 2 messages, "), "\(would)")
        #expect(try home.convo("prune").code == 1)
        let did = try home.convo("prune", "-y")
        #expect(did.said == would.said.replacing("would remove", with: "removed"), "\(did)")
        #expect(try home.convo("prune", "-y").said.hasPrefix("removed 0 sessions"))
        #expect(try home.convo("prune", "--all").code == 2)
        #expect(
            try home.convo("prune", "--all", "--older-than", "1d", "--json").said.contains("\"sessions\":0"))
    }
}
