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
    @Test func `is out, and the next one is used at once (N044)`() throws {
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
    ]) func `is struck out of every answer, of the log and of the database (B158)`(
        script: [ScriptedUpstream.Step]
    )
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

private func tickingClock() -> @Sendable () -> Int64 {
    let time = Locked<Int64>(1_795_586_400_000)
    return {
        time.withLock {
            $0 += 5
            return $0
        }
    }
}

@Suite struct `A key that is refused inside a stream` {
    private static let limited =
        #"data: {"error":{"code":429,"type":"rate_limit_exceeded","message":"slow"}}"# + "\n\n"
    private static let streams: [(kind: String, body: String, outcome: String)] = [
        ("openai", limited, "throttled"),
        ("openai", ScriptedUpstream.chunk(#"{"content":""}"#) + limited, "throttled"),
        (
            "anthropic",
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"no\"}}\n\n",
            "upstream_auth"
        ),
        (
            "anthropic",
            "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
            "upstream_unavailable"
        ),
    ]
    private static let answer: [String: [ScriptedUpstream.Step]] = [
        "openai": fine,
        "anthropic": ScriptedUpstream.fineByAnthropic,
    ]

    @Test(arguments: streams)
    func `before any word gives way to another try, and each try is told with its kind (N043)`(
        _ stream: (kind: String, body: String, outcome: String)
    ) throws {
        let bench = try Bench(
            [[[.write(ScriptedUpstream.head + stream.body)], Self.answer[stream.kind] ?? []]],
            kind: stream.kind, each: "keys: [{ env: 'ONE' }, { env: 'TWO' }]",
            environment: ["ONE": "key-one", "TWO": "key-two"], clock: tickingClock())
        let answer = try bench.ask("s")
        #expect(answer.text() == "fine")
        #expect(try bench.outcomes(answer) == ["a \(stream.outcome)", "a complete"])
        #expect(try bench.client.messages("s") == ["user: hello", "assistant: fine"])
        // What is overloaded is so for every key; the others are the first key's own affair.
        let second = bench.servers[0].requests[1]
        #expect(second.contains("key-two") == (stream.outcome != "upstream_unavailable"))
    }

    @Test func `behind a word is not tried with another key, and the word stays (N043)`() throws {
        let bench = try Bench(
            [
                [
                    [
                        .write(
                            ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"one"}"#)
                                + Self.limited)
                    ], fine,
                ]
            ],
            each: "keys: [{ env: 'ONE' }, { env: 'TWO' }]",
            environment: ["ONE": "key-one", "TWO": "key-two"])
        #expect(try bench.ask("s").kind == "throttled" && bench.counts == [1])
        #expect(try bench.client.messages("s") == ["user: hello", "assistant: one [interrupted]"])
    }
}

extension `A key that a server sends back` {
    @Test(arguments: ["openai", "anthropic", "gemini"])
    func `goes in a header to the host that is configured, and to none that it sends us on to (B158)`(
        kind: String
    ) throws {
        let other = try ScriptedUpstream([ScriptedUpstream.answer(["stolen"])])
        let bench = try Bench(
            [
                [
                    ScriptedUpstream.failure(
                        "302 Found", "{}", headers: "Location: \(other.origin)/v1/Zq8vX7wB2nM5kL9p\r\n")
                ]
            ], kind: kind, each: "keys: [{ env: 'ONE' }]", environment: ["ONE": "Zq8vX7wB2nM5kL9p"])
        let answer = try bench.ask("s")
        #expect(answer.kind == "upstream_unavailable", "\(text(answer.message.raw))")
        #expect(other.requests.isEmpty)
        let request = try #require(bench.servers[0].requests.first)
        #expect(request.contains("Zq8vX7wB2nM5kL9p"))
        #expect(!request.prefix { $0 != "\r\n" }.contains("Zq8vX7"), "it is in no address")
        let told = [
            text(answer.message.raw), text(try bench.client.call("_convod/upstream/list").message.raw),
            text(try bench.client.call("_convod/turn/list", #"{"sessionId":"s"}"#).message.raw),
            bench.daemon.logged.joined(), try shell("sh", "-c", "cat \(bench.daemon.database)* | strings"),
        ].joined()
        #expect(!told.contains("Zq8vX7"))
    }
}

@Suite struct `Eight keys` {
    private static let names = (1...8).map { "K\($0)" }
    private static let each = "keys: [\(names.map { "{ env: '\($0)' }" }.joined(separator: ", "))]"
    private static let environment = Dictionary(
        uniqueKeysWithValues: names.map { ($0, "key-\($0)") })

    @Test func `of which one is a command that gives none are not asked as if it were free`() throws {
        let wait = ScriptedUpstream.failure("429 Too Many Requests", "{}", headers: "Retry-After: 60\r\n")
        let bench = try Bench(
            [[wait]], each: "keys: [{ env: 'K1' }, { command: ['false'] }]",
            more: "retry: { total: '1s', base: '1ms' }", environment: ["K1": "key-K1"])
        #expect(try bench.ask("s").kind == "throttled")
        #expect(bench.counts[0] <= 2, "\(bench.counts)")
    }

    @Test(arguments: [
        (refused, "upstream_auth"), (ScriptedUpstream.failure("429 Too Many Requests", "{}"), "throttled"),
    ])
    func `of which the last is good are each asked once, then that one alone (N044)`(
        _ bad: [ScriptedUpstream.Step], _ outcome: String
    ) throws {
        let bench = try Bench(
            [Array(repeating: bad, count: 7) + [fine]], each: Self.each,
            more: "retry: { attempts: 3, base: '1ms' }", environment: Self.environment, clock: tickingClock())
        let answer = try bench.ask("s0")
        #expect(answer.text() == "fine", "\(text(answer.message.raw))")
        #expect(
            try bench.outcomes(answer) == Array(repeating: "a \(outcome)", count: 7) + ["a complete"])
        #expect(bench.keysSeen == Self.names.map { "key-\($0)" })
        for number in 1...9 { #expect(try bench.ask("s\(number)").text() == "fine") }
        #expect(bench.keysSeen.dropFirst(8).allSatisfy { $0 == "key-K8" })
    }

    @Test func `that are all refused are one error of authorization (N044)`() throws {
        let bench = try Bench([[refused]], each: Self.each, environment: Self.environment)
        #expect(try bench.ask("s").kind == "upstream_auth")
        #expect(bench.counts == [8])
    }

    @Test func `that must all wait are waited for until the earliest is free (N044)`() throws {
        func wait(_ seconds: Int) -> [ScriptedUpstream.Step] {
            ScriptedUpstream.failure("429 Too Many Requests", "{}", headers: "Retry-After: \(seconds)\r\n")
        }
        let clock = ManualClock()
        let bench = try Bench(
            [[wait(90), wait(300), fine]], each: "keys: [{ env: 'K1' }, { env: 'K2' }]",
            more: "retry: { total: '1s', base: '1ms' }", environment: Self.environment, clock: clock.now)
        let answer = try bench.ask("s1")
        #expect(answer.kind == "throttled" && bench.counts == [2])
        let told = answer.message["error"]?["data"]?["retryAfterMs"]?.int ?? 0
        #expect((90_000..<91_000).contains(told), "\(told)")
        clock.advance(90_000)
        #expect(try bench.ask("s2").text() == "fine")
        #expect(bench.keysSeen == ["key-K1", "key-K2", "key-K1"])
    }
}

@Suite struct `A limit that no wait mends` {
    private static let plan =
        #"{"type":"error","error":{"type":"rate_limit_error","message":"Extra usage is required for long context requests."}}"#
    private static let large =
        #"{"error":{"message":"Request too large for gpt-4.1 in organization org-x on tokens per min (TPM): Limit 30000, Requested 45210.","type":"tokens","code":"rate_limit_exceeded"}}"#

    @Test(arguments: [(plan, "quota"), (large, "throttled")])
    func `is tried once a key at most, and holds back no small prompt (N046)`(_ body: String, _ kind: String)
        throws
    {
        let limit = ScriptedUpstream.failure("429 Too Many Requests", body)
        let bench = try Bench(
            [[limit, limit, fine]], each: "keys: [{ env: 'ONE' }, { env: 'TWO' }]",
            environment: ["ONE": "key-one", "TWO": "key-two"], clock: tickingClock())
        let answer = try bench.ask("s1", "a long prompt")
        #expect(answer.kind == kind && bench.counts[0] <= 2, "\(bench.counts)")
        let words = answer.error?["message"]?.string ?? ""
        if kind == "throttled" { #expect(words.contains("30000") && words.contains("45210"), "\(words)") }
        let before = bench.counts[0]
        // The script has one refusal left where one key was asked only.
        let small = try bench.ask("s2", "hi")
        #expect(bench.counts[0] > before, "nothing keeps the next prompt from being sent")
        #expect(before == 1 || small.text() == "fine")
    }

    @Test func `goes to the next upstream of the route (N046)`() throws {
        let limit = ScriptedUpstream.failure("429 Too Many Requests", Self.plan)
        let bench = try Bench([[limit], [fine]])
        #expect(try bench.ask("s").extras?["upstream"]?.string == "b")
        #expect(bench.counts == [1, 1])
    }
}
