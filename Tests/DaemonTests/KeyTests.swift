internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

private let fine = ScriptedUpstream.answer(["fine"])
private let refused = ScriptedUpstream.failure("401 Unauthorized", #"{"error":{"message":"bad key"}}"#)

extension Bench {
    /// The keys that came with the requests of the first server.
    fileprivate var keysSeen: [String] {
        servers[0].requests.map { request in
            let line = request.split(separator: "\r\n").first { $0.hasPrefix("Authorization: Bearer ") }
            return String(line?.dropFirst(22) ?? "")
        }
    }
}

@Suite struct `A key that is refused` {
    @Test func `is out, and the next one is used at once`() throws {
        let bench = try Bench(
            [[refused, fine]], each: "keys: [{ env: 'ONE' }, { env: 'TWO' }]",
            environment: ["ONE": "key-one", "TWO": "key-two"])
        let answer = try bench.ask("s1")
        #expect(answer.text() == "fine")
        #expect(try bench.outcomes(answer) == ["a upstream_auth", "a complete"])
        _ = try bench.ask("s2")
        #expect(bench.keysSeen == ["key-one", "key-two", "key-two"])
    }

    @Test func `stays out until its file changes, without a restart (B151)`() throws {
        let directory = try TemporaryDirectory()
        let file = directory.file("key")
        try Files.replace(file, with: Array("old-key\n".utf8))
        let bench = try Bench([[refused, fine]], each: "keys: [{ file: '\(file)' }]")
        let first = try bench.ask("s1")
        #expect(first.kind == "upstream_auth" && bench.counts == [1])
        let second = try bench.ask("s2")
        #expect(second.kind == "upstream_auth" && bench.counts == [1], "nobody asks with a key that is out")
        #expect(second.error?["message"]?.string?.contains("has not changed since") == true)
        try Files.replace(file, with: Array("new-key\n".utf8))
        #expect(try bench.ask("s3").text() == "fine")
        #expect(bench.keysSeen == ["old-key", "new-key"])
    }

    @Test func `of a command is asked for once more, and no oftener`() throws {
        let directory = try TemporaryDirectory()
        let script = "echo run >> \(directory.file("runs")); echo same-key"
        let bench = try Bench([[refused]], each: "keys: [{ command: ['sh', '-c', '\(script)'] }]")
        let answer = try bench.ask("s")
        #expect(answer.kind == "upstream_auth")
        #expect(bench.keysSeen == ["same-key"], "the same key is not sent twice")
        let runs = text(try Files.read(directory.file("runs"))).split(separator: "\n").count
        #expect(runs == 2)
    }

    @Test func `gives way to the next upstream of the route`() throws {
        let bench = try Bench(
            [[refused], [fine]], each: "keys: [{ env: 'ONE' }]", environment: ["ONE": "key-one"])
        #expect(try bench.ask("s").extras?["upstream"]?.string == "b")
    }
}

@Suite struct `A key of a command` {
    @Test func `is the first line of what it prints, and is remembered`() throws {
        let directory = try TemporaryDirectory()
        let script = "echo run >> \(directory.file("runs")); echo secret-key; echo more"
        let bench = try Bench([[fine]], each: "keys: [{ command: ['sh', '-c', '\(script)'] }]")
        for k in 1...3 { _ = try bench.ask("s\(k)") }
        #expect(bench.keysSeen == ["secret-key", "secret-key", "secret-key"])
        #expect(text(try Files.read(directory.file("runs"))) == "run\n")
    }

    @Test(arguments: [
        "echo the-key; yes | head -c 100000000", "echo the-key; sleep 60 &", "echo the-key; exec >&-; true",
    ])
    func `is taken whatever follows it, and whoever holds the output`(script: String) throws {
        let bench = try Bench([[fine]], each: "keys: [{ command: ['sh', '-c', '\(script)'] }]")
        let begin = Machine.monotonic()
        #expect(try bench.ask("s").text() == "fine")
        #expect(bench.keysSeen == ["the-key"])
        #expect(Machine.monotonic() - begin < 9_000_000_000, "that is the time limit")
    }

    @Test(arguments: [
        ("['no-such-program-x']", "is not in the daemon's PATH"), ("['false']", "exited with 1"),
        ("['true']", "printed nothing"),
    ]) func `that cannot be had is one clear line`(command: String, words: String) throws {
        let bench = try Bench(
            [[fine]], each: "keys: [{ command: \(command) }]", environment: ["PATH": "/usr/bin:/bin"])
        let answer = try bench.ask("s")
        #expect(answer.kind == "upstream_auth")
        #expect(answer.error?["message"]?.string?.contains(words) == true)
    }
}

@Suite struct `A key that must wait` {
    @Test func `is passed over for the next one`() throws {
        let clock = ManualClock()
        let wait = ScriptedUpstream.failure("429 Too Many Requests", "{}", headers: "Retry-After: 20\r\n")
        let bench = try Bench(
            [[wait, fine]], each: "keys: [{ env: 'ONE' }, { env: 'TWO' }]",
            environment: ["ONE": "key-one", "TWO": "key-two"], clock: clock.now)
        #expect(try bench.ask("s1").text() == "fine")
        _ = try bench.ask("s2")
        clock.advance(20_000)
        _ = try bench.ask("s3")
        #expect(bench.keysSeen == ["key-one", "key-two", "key-two", "key-one"])
    }
}

@Suite struct `A signed request` {
    @Test func `carries the time, the key's name and the HMAC over time and body`() throws {
        let clock = ManualClock()
        let bench = try Bench(
            [[fine]], each: "signing: { secret: { env: 'SECRET' }, keyId: 'k1', header: 'X-Sig' }",
            environment: ["SECRET": "shared-secret"], clock: clock.now)
        _ = try bench.ask("s")
        let request = bench.servers[0].requests[0]
        let line = request.split(separator: "\r\n").first { $0.hasPrefix("X-Sig: ") } ?? ""
        #expect(line.hasPrefix("X-Sig: kid=k1,t=1795586400,v1="))
        let body = request.split(separator: "\r\n").last ?? ""
        let expected = try shell(
            "sh", "-c",
            "printf '%s' \"$1\" | openssl dgst -sha256 -hmac shared-secret -r | cut -c1-64", "sh",
            "1795586400.\(body)")
        #expect(line.hasSuffix("v1=" + expected.prefix(64)))
    }

    @Test func `is not sent without its secret`() throws {
        let bench = try Bench([[fine]], each: "signing: { secret: { env: 'NOPE' } }")
        let answer = try bench.ask("s")
        #expect(answer.kind == "upstream_auth" && bench.counts == [0])
        #expect(answer.error?["message"]?.string?.contains("cannot be signed") == true)
    }
}

@Suite struct `A key that a server sends back` {
    @Test(arguments: [
        ScriptedUpstream.failure(
            "401 Unauthorized", #"{"error":{"message":"incorrect key 'Zq8vX7wB2nM5kL9p' provided"}}"#),
        ScriptedUpstream.failure(
            "400 Bad Request",
            #"{"error":{"message":"\#(String(repeating: "word ", count: 58))Zq8vX7wB2nM5kL9p"}}"#),
        [
            .write(
                ScriptedUpstream.head
                    + "data: {\"error\":{\"message\":\"no Zq8vX7wB2nM5kL9p and gate-Yw7uT5sR3qP1\",\"code\":400}}\n\n"
            )
        ],
    ]) func `is struck out of every answer, of the log and of the database`(script: [ScriptedUpstream.Step])
        throws
    {
        let bench = try Bench(
            [[script]], each: "keys: [{ env: 'ONE' }], headers: { 'X-Gate': 'gate-Yw7uT5sR3qP1' }",
            environment: ["ONE": "Zq8vX7wB2nM5kL9p"])
        let answer = try bench.ask("s")
        let told = [
            text(answer.message.raw), answer.updates.map { text($0.raw) }.joined(),
            text(try bench.client.call("_convod/upstream/list").message.raw),
            text(try bench.client.call("_convod/upstream/test", #"{"upstream":"a"}"#).message.raw),
            text(try bench.client.call("_convod/server/info", #"{"config":true}"#).message.raw),
            text(try bench.client.call("_convod/turn/list", #"{"sessionId":"s"}"#).message.raw),
            bench.daemon.logged.joined(), try bench.outcomes(answer).joined(),
            try shell("sh", "-c", "cat \(bench.daemon.database)* | strings"),
        ].joined()
        for secret in ["Zq8vX7", "gate-Yw7"] { #expect(!told.contains(secret)) }
    }
}
