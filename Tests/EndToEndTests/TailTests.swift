internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite(.timeLimit(.minutes(30))) struct `A session that is followed` {
    @Test func `shows what was said and what comes, until Ctrl-C`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        #expect(try home.convo("send", "-q", "--new", "talk", "first words").code == 0)
        let out = home.directory.file("out")
        try Files.replace(out, with: [])
        let pid = try Process.start(
            "/bin/sh", ["-c", "exec \(Built.convo) tail talk > \(out)"], environment: home.environment,
            streams: .init(input: 0, output: 1, error: 2))
        try soon("what was said is shown") { text(try Files.read(out)).contains("you said: first words") }
        #expect(try home.convo("send", "-q", "-s", "talk", "second words").code == 0)
        try soon("what comes is shown") { text(try Files.read(out)).contains("you said: second words") }
        let said = text(try Files.read(out))
        #expect(said.contains("— user\nsecond words") && said.contains("— assistant\n"), "\(said)")
        try Process.signal(pid, Signals.interrupt)
        #expect(try Process.reap(pid) == .exited(0))
        #expect(try home.convo("tail", "talk", "--after", "1", "-n", "2").code == 2)
    }

    @Test
    func `goes on when its daemon was killed and another is there, with nothing missed and nothing twice`()
        throws
    {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        #expect(try home.convo("send", "-q", "--new", "talk", "first words").code == 0)
        let out = home.directory.file("out")
        try Files.replace(out, with: [])
        let pid = try Process.start(
            "/bin/sh", ["-c", "exec \(Built.convo) tail talk > \(out) 2>&1"], environment: home.environment,
            streams: .init(input: 0, output: 1, error: 2))
        try soon("what was said is shown") { text(try Files.read(out)).contains("you said: first words") }
        try home.killDaemon()
        try soon("that it is gone is said") { text(try Files.read(out)).contains("the daemon has gone") }
        for words in ["second words", "third words"] {
            #expect(try home.convo("send", "-q", "-s", "talk", words).code == 0)
        }
        try soon("what comes is shown") { text(try Files.read(out)).contains("you said: third words") }
        let said = text(try Files.read(out))
        for words in ["first", "second", "third"] {
            #expect(said.split(separator: "you said: \(words) words").count == 2, "\(words): \(said)")
        }
        try Process.signal(pid, Signals.interrupt)
        #expect(try Process.reap(pid) == .exited(0))
    }

    @Test func `goes on behind what was seen`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        for words in ["one", "two", "three"] {
            #expect(try home.convo("send", "-q", words == "one" ? "--new" : "-s", "talk", words).code == 0)
        }
        let out = home.directory.file("out")
        try Files.replace(out, with: [])
        let pid = try Process.start(
            "/bin/sh", ["-c", "exec \(Built.convo) tail talk --after 4 > \(out)"],
            environment: home.environment,
            streams: .init(input: 0, output: 1, error: 2))
        try soon("what follows is shown") { text(try Files.read(out)).contains("you said: three") }
        let said = text(try Files.read(out))
        #expect(!said.contains("you said: two\n— ") && said.contains("— user\nthree"), "\(said)")
        try Process.signal(pid, Signals.terminate)
        #expect(try Process.reap(pid) == .exited(143))
    }
}
