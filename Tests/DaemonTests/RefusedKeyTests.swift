internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

private let fine = ScriptedUpstream.answer(["fine"])
private let refused = ScriptedUpstream.failure("401 Unauthorized", #"{"error":{"message":"bad key"}}"#)

private func bench(_ scripts: [[ScriptedUpstream.Step]], _ keys: String, _ clock: ManualClock) throws -> Bench
{
    try Bench(
        [scripts], each: "keys: [\(keys)]", environment: ["ONE": "key-one", "PATH": "/usr/bin:/bin"],
        clock: clock.now)
}

@Suite struct `A key that a server refused` {
    @Test func `is probed once after a minute, and then after twice as long each time up to an hour`() throws
    {
        let clock = ManualClock()
        let bench = try bench([refused], "{ env: 'ONE' }", clock)
        func ask(_ session: String) throws -> String {
            let answer = try bench.ask(session)
            #expect(answer.kind == "upstream_auth")
            return answer.error?["message"]?.string ?? ""
        }
        _ = try ask("s0")
        #expect(bench.counts == [1])
        let words = try ask("s1")
        #expect(
            words.contains("it is tried again in 60 s, or at once by 'convo upstreams test a'"), "\(words)")
        #expect(bench.counts == [1])
        var count = 1, pause: Int64 = 60_000
        for round in 1...9 {
            clock.advance(pause - 1)
            _ = try ask("early\(round)")
            #expect(bench.counts == [count], "\(pause)")
            clock.advance(1)
            _ = try ask("due\(round)")
            count += 1
            #expect(bench.counts == [count], "\(pause)")
            _ = try ask("late\(round)")
            #expect(bench.counts == [count], "one probe is enough")
            pause = min(2 * pause, 3_600_000)
        }
    }

    @Test func `for one model goes on with the others, as behind a gateway that lets it use some`() throws {
        let clock = ManualClock()
        let bench = try bench([refused, fine, fine], "{ env: 'ONE' }", clock)
        #expect(try bench.ask("bobs", "hello", #""model":"gated""#).kind == "upstream_auth")
        #expect(try bench.ask("s").text() == "fine")
        #expect(try bench.ask("bobs2", "hello", #""model":"gated""#).kind == "upstream_auth")
        #expect(try bench.ask("t").text() == "fine" && bench.counts == [3])
    }

    @Test func `by many requests at once is probed after a minute all the same`() throws {
        let clock = ManualClock()
        let held = [ScriptedUpstream.Step.hold] + refused
        let bench = try bench(Array(repeating: held, count: 7) + [refused, fine], "{ env: 'ONE' }", clock)
        for index in 0..<7 {
            try bench.client.open("s\(index)")
            _ = try bench.client.startPrompt("s\(index)", "hello")
        }
        while bench.counts[0] < 7 { _ = try bench.client.call("_convod/server/info") }
        for _ in 0..<7 {
            bench.servers[0].proceed()
            while try bench.client.next()["error"] == nil {}
        }
        clock.advance(60_000)
        #expect(try bench.ask("due").kind == "upstream_auth" && bench.counts == [8])
        clock.advance(120_000)
        #expect(try bench.ask("again").text() == "fine")
    }

    @Test func `of an upstream without a model comes back with the list that is asked for first`() throws {
        let clock = ManualClock()
        let list = ScriptedUpstream.failure("200 OK", #"{"data":[{"id":"m"}]}"#)
        let server = try ScriptedUpstream([list, refused, list, fine])
        let daemon = try TestDaemon(
            "{ upstreams: { a: { kind: 'openai', baseURL: '\(server.base)', keys: [{ env: 'ONE' }] } } }",
            environment: ["ONE": "key-one"], clock: clock.now)
        let client = try daemon.client()
        client.kept = [daemon, server]
        try client.open("s")
        #expect(try client.prompt("s", "hello").kind == "upstream_auth")
        clock.advance(60_000)
        #expect(try client.prompt("s", "hello").text() == "fine")
    }

    @Test func `is good again when a probe is taken`() throws {
        let clock = ManualClock()
        let bench = try bench([refused, fine], "{ env: 'ONE' }", clock)
        _ = try bench.ask("s0")
        clock.advance(60_000)
        #expect(try bench.ask("s1").text() == "fine")
        #expect(try bench.ask("s2").text() == "fine")
        let keys = try bench.client.call("_convod/upstream/list").result?["upstreams"]?.elements.first {
            $0["name"]?.string == "a"
        }?["keys"]
        #expect(keys?.elements.first { _ in true }?["state"]?.string == "ready")
    }

    @Test func `is tried again at once by a test`() throws {
        let bench = try bench([refused, fine], "{ env: 'ONE' }", ManualClock())
        _ = try bench.ask("s0")
        let tested = try bench.client.call("_convod/upstream/test", #"{"upstream":"a"}"#).result
        #expect(tested?["ok"]?.bool == true && bench.counts == [2])
        #expect(try bench.ask("s1").text() == "fine")
    }

    @Test func `is tried again when its file was touched`() throws {
        let directory = try TemporaryDirectory()
        let file = directory.file("key")
        try Files.replace(file, with: Array("key\n".utf8))
        let bench = try bench([refused, fine], "{ file: '\(file)' }", ManualClock())
        _ = try bench.ask("s0")
        #expect(try bench.ask("s1").kind == "upstream_auth" && bench.counts == [1])
        try shell("touch", "-d", "2001-01-01", file)
        #expect(try bench.ask("s2").text() == "fine")
    }

    @Test func `of a command waits too, and comes back`() throws {
        let clock = ManualClock()
        let bench = try bench([refused, fine], "{ command: ['sh', '-c', 'echo same'] }", clock)
        _ = try bench.ask("s0")
        #expect(try bench.ask("s1").kind == "upstream_auth" && bench.counts == [1])
        clock.advance(60_000)
        #expect(try bench.ask("s2").text() == "fine")
    }
}

@Suite struct `A wait that a server names` {
    @Test func `is told with its end where it is long`() throws {
        let clock = ManualClock()
        let wait = ScriptedUpstream.failure("429 Too Many Requests", "{}", headers: "Retry-After: 7200\r\n")
        let bench = try Bench([[wait]], clock: clock.now)
        for session in ["s0", "s1"] {
            let words = try bench.ask(session).error?["message"]?.string ?? ""
            #expect(words.contains("until 2026-11-25 08:00 UTC"), "\(words)")
            clock.advance(60_000)
        }
        #expect(bench.counts == [1])
    }
}

@Suite struct `What is no key` {
    private func failure(_ key: String, environment: [String: String] = [:], more: String = "") throws -> (
        words: String, sent: Int
    ) {
        let bench = try Bench(
            [[fine]], each: "keys: [\(key)]\(more)",
            environment: environment.merging(["PATH": "/usr/bin:/bin"]) { $1 })
        let answer = try bench.ask("s")
        return (answer.error?["message"]?.string ?? "", bench.counts[0])
    }

    /// Keys with a slip in them, and what is said of it.
    static let slips = [
        ("sk-\u{200B}abcdef123456", "U+200B"), ("sk-abcdef\u{2028}123456", "U+2028"),
        ("ｓｋ-abcdef123456", "U+FF53"), ("sk-abc def123456", "U+0020"),
        ("sk-abcdef\n123456", "more than one line"),
        ("sk-abcdef\r\n123456", "more than one line"), ("sk-abcdef123456\u{3000}", "U+3000"),
        ("sk-abc\u{7F}123456", "U+007F"),
        ("sk-é123456", "U+00E9"),
    ]

    @Test(arguments: slips) func `is not sent, from wherever it comes`(key: String, words: String) throws {
        let directory = try TemporaryDirectory()
        let file = directory.file("key")
        try Files.replace(file, with: Array((key + "\n").utf8))
        var found = [
            try failure("{ env: 'ONE' }", environment: ["ONE": key]), try failure("{ file: '\(file)' }"),
            try failure("{ credential: 'key' }", environment: ["CREDENTIALS_DIRECTORY": directory.path]),
        ]
        // Of what a command prints only the first line counts.
        if !key.contains(where: \.isNewline) || key.contains("\u{2028}") {
            found.append(try failure("{ command: ['cat', '\(file)'] }"))
        }
        for (said, sent) in found {
            #expect(sent == 0 && said.contains(words), "\(said)")
            // The directory's name is random, and may say anything.
            let told = said.replacing(directory.path, with: "")
            #expect(!told.contains("123456") && !told.contains("abc"), "\(said)")
        }
    }

    @Test func `is none of a byte order mark before it and line ends behind it`() throws {
        let directory = try TemporaryDirectory()
        let file = directory.file("key")
        try Files.replace(file, with: [0xEF, 0xBB, 0xBF] + Array("good-key\r\n\r\n".utf8))
        let bench = try Bench([[fine]], each: "keys: [{ file: '\(file)' }]")
        #expect(try bench.ask("s").text() == "fine")
        #expect(bench.servers[0].requests[0].contains("Authorization: Bearer good-key\r\n"))
    }
}

@Suite struct `A command for a key` {
    @Test func `sees neither the service manager's variables nor other upstreams' keys`() throws {
        let directory = try TemporaryDirectory()
        let seen = directory.file("seen")
        let server = try ScriptedUpstream([fine])
        let daemon = try TestDaemon(
            """
            { upstreams: {
                a: { kind: 'openai', baseURL: '\(server.base)', model: 'm', keys: [{ command: ['sh', '-c', 'env > \(seen); echo key'] }, { env: 'OWN' }] },
                b: { kind: 'openai', baseURL: '\(server.base)', model: 'm', keys: [{ env: 'OTHER' }],
                     signing: { secret: { env: 'SIGNING' } } } } }
            """,
            environment: [
                "PATH": "/usr/bin:/bin", "OWN": "own-key", "OTHER": "other-key", "SIGNING": "secret",
                "NOTIFY_SOCKET": "/run/notify", "LISTEN_FDS": "1", "LISTEN_PID": "7", "LISTEN_FDNAMES": "x",
                "WATCHDOG_USEC": "9", "WATCHDOG_PID": "7", "HOME": directory.path,
            ])
        let client = try daemon.client()
        client.kept = [daemon, server]
        try client.open("s")
        #expect(try client.prompt("s", "hello", #""upstream":"a""#).text() == "fine")
        let names = Set(
            text(try Files.read(seen)).split(separator: "\n").compactMap { $0.split(separator: "=").first })
        #expect(names.isSuperset(of: ["PATH", "OWN", "HOME"]))
        #expect(
            names.isDisjoint(with: [
                "OTHER", "SIGNING", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
                "WATCHDOG_USEC", "WATCHDOG_PID",
            ]))
    }
}
