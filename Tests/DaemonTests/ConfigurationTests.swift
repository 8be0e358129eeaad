internal import Daemon
internal import JSON
internal import TestSupport
internal import Testing
internal import Upstream

/// What is said about a configuration, nil when it is good.
private func complaint(_ text: String) -> String? {
    do throws(ConfigurationError) {
        _ = try Configuration(reading: Array(text.utf8), file: "c.json5")
        return nil
    } catch { return error.description }
}

@Suite struct `A configuration` {
    @Test(arguments: [
        ("{ upstreams: {}, }", nil), ("// nothing\r\n{}", nil),
        ("{\n  databse: {} }", "c.json5:2:3: unknown key 'databse'; did you mean 'database'?"),
        ("{\r\n a: 1 }", "c.json5:2:2: unknown key 'a'; known here:"),
        (
            "{ upstrems: { e: { kind: 'echo' } }, routes: { default: ['e'] } }",
            "c.json5:1:3: unknown key 'upstrems'; did you mean 'upstreams'?"
        ),
        (
            "{ upstreams: { e: { kinda: 'echo' } } }",
            "c.json5:1:21: unknown key 'upstreams.e.kinda'; did you mean 'kind'?"
        ),
        (
            "{ limits: { line: 5 } }",
            "c.json5:1:19: 'limits.line' must be a size such as \"64KiB\" or \"16MiB\""
        ),
        (
            "{ limits: { connections: true } }",
            "c.json5:1:26: 'limits.connections' must be an integer from 1 to 1000000"
        ),
        (
            "{ routes: { default: ['x'] } }",
            "c.json5:1:22: 'routes.default': there is no upstream 'x'; there are none"
        ),
        (
            "{ upstreams: { a: { kind: 'palm' } } }",
            "c.json5:1:27: 'upstreams.a.kind' must be one of 'anthropic', 'echo', 'gemini', 'ollama', 'openai'"
        ),
        (
            "{ upstreams: { a: { kind: 'opneai' } } }",
            "'upstreams.a.kind' must be one of 'anthropic', 'echo', 'gemini', 'ollama', 'openai'; it is \"opneai\"; did you mean 'openai'?"
        ),
        (
            "{ upstreams: { a: { kind: 'openai', baseURL: 'ftp://x' } } }",
            "c.json5:1:46: 'baseURL' must be an http or https address"
        ),
        ("{ drain: '5s', drain: '6s' }", "c.json5:1:16: the key 'drain' stands twice; keep one"),
        ("{ window: { maxTokens: 0 } }", "'window.maxTokens' must be an integer of 1 or more, or null"),
        (
            "{ window: { reserveTokens: 9000 }, upstreams: { a: { kind: 'openai', contextLength: 8192 } } }",
            "reserve less"
        ),
        (
            "{ upstreams: { a: { kind: 'openai', contextLength: 8192, window: { reserveTokens: 9000 } } } }",
            "'upstreams.a.window.reserveTokens' is 9000, but upstream 'a' holds 8192 tokens"
        ),
        ("{ summarizer: { timeout: '0s' } }", "at least 1ms and at most 3650d; it is \"0s\""),
        ("{ socket: { mode: 'rw' } }", "'socket.mode' must be an octal mode"),
        ("{ socket: { allow: { users: ['no-such-user-x'] } } }", "there is no user 'no-such-user-x'"),
        ("{ a: ", "c.json5:1:6: the text ends inside a value"),
        ("{ limits: { connections: 0 } }", "an integer from 1 to 1000000; it is 0"),
        ("{ socket: { mode: '0999' } }", "such as \"0600\"; it is \"0999\""),
        (
            "{ socket: { allow: { users: ['no-such-user-x'] } } }",
            "c.json5:1:29: 'socket.allow.users': there is no user 'no-such-user-x'"
        ),
    ]) func `is taken, or refused with the place and what to do`(text: String, said: String?) {
        let found = complaint(text)
        if let said {
            #expect(found?.contains(said) == true, "\(found ?? "taken")")
        } else {
            #expect(found == nil)
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1/chat/completions"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1/chat/completions"),
        ("https://x.org/openai/v1", "https://x.org/openai/v1/chat/completions"),
    ]) func `has base addresses with or without a version`(base: String, url: String) throws {
        let daemon = try TestDaemon(
            "{ upstreams: { a: { kind: 'openai', baseURL: '\(base)', model: 'm' } } }")
        let client = try daemon.client()
        try client.open("demo")
        let preview = try client.call(
            "_convod/context/preview", #"{"sessionId":"demo","prompt":[{"type":"text","text":"x"}]}"#)
        #expect(preview.result?["url"]?.string == url)
    }

    @Test(arguments: [
        "keys: [{ env: 'sk-live-Zq8vX7wB2nM5' }]", "keys: [{ file: 'sk-live-Zq8vX7wB2nM5' }]",
        "keys: [{ 'sk-live-Zq8vX7wB2nM5': 'x' }]",
        "baseURL: 'https://x.org/v1?key=sk-live-Zq8vX7wB2nM5'",
        "baseURL: 'https://me:sk-live-Zq8vX7wB2nM5@x.org/v1'",
    ]) func `that has a key in the wrong place is refused without it (B158)`(member: String) throws {
        let found = try #require(
            complaint("{ upstreams: { a: { kind: 'openai', model: 'm', \(member) } } }"))
        #expect(!found.contains("Zq8vX7wB2nM5"), "\(found)")
    }

    @Test func `is shown without a key in it`() throws {
        let daemon = try TestDaemon(
            "{ upstreams: { a: { kind: 'openai', model: 'm', keys: [{ env: 'PLANTED' }] } } }",
            environment: ["PLANTED": "sk-planted-1234"])
        let info = try daemon.client().call("_convod/server/info", #"{"config":true}"#)
        #expect(info.result?["config"]?["upstreams"]?["a"]?["keys"] != nil)
        #expect(!text(info.message.raw).contains("sk-planted"))
    }
}

@Suite struct `Without a configuration` {
    private func answer(_ environment: [String: String]) throws -> (
        upstream: String?, isImplicit: Bool?
    ) {
        let daemon = try TestDaemon(nil, environment: environment)
        let client = try daemon.client()
        try client.open("demo")
        let answer = try client.prompt("demo", "hello")
        let info = try client.call("_convod/server/info").result
        return (answer.extras?["upstream"]?.string, info?["isImplicit"]?.bool)
    }

    @Test func `the echo answers when there is nothing else`() throws {
        let found = try answer(["OLLAMA_HOST": "127.0.0.1:9"])
        #expect(found.upstream == "echo" && found.isImplicit == true)
    }

    @Test func `Ollama is used when it answers on its port, with the first model that it has`() throws {
        let models =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"models\":[{\"name\":\"qwen3\"},{\"name\":\"older\"}]}"
        let ollama = try ScriptedUpstream([[.write(models)], ScriptedUpstream.answer(["hi"])])
        let found = try answer(["OLLAMA_HOST": "127.0.0.1:\(ollama.port)"])
        #expect(found.upstream == "ollama")
        #expect(ollama.requests[0].hasPrefix("GET /api/tags "))
        #expect(ollama.requests[1].contains(#""model":"qwen3""#))
    }

    @Test func `Ollama has a kind of its own, which needs no key and no address`() throws {
        let models =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"models\":[{\"name\":\"qwen3\"}]}"
        let ollama = try ScriptedUpstream([[.write(models)], ScriptedUpstream.answer(["hi"])])
        let daemon = try TestDaemon(
            "{ upstreams: { mine: { kind: 'ollama', baseURL: 'http://127.0.0.1:\(ollama.port)' } } }")
        let client = try daemon.client()
        try client.open("demo")
        #expect(try client.prompt("demo", "hello").extras?["upstream"]?.string == "mine")
        #expect(ollama.requests[0].hasPrefix("GET /api/tags "))
        #expect(ollama.requests[1].hasPrefix("POST /v1/chat/completions "))
        #expect(UpstreamKind.ollama.baseURL == "http://127.0.0.1:11434/v1")
    }

    @Test func `an OpenAI key is used, and goes into a header only`() throws {
        let openai = try ScriptedUpstream([ScriptedUpstream.answer(["hi"])])
        let found = try answer(["OPENAI_API_KEY": "sk-test-key", "OPENAI_BASE_URL": openai.base])
        #expect(found.upstream == "openai")
        #expect(openai.requests[0].contains("Authorization: Bearer sk-test-key"))
    }

    @Test(arguments: [
        (["GEMINI_API_KEY": "AIza-x", "GOOGLE_GEMINI_BASE_URL": "BASE"], "gemini", "x-goog-api-key: AIza-x"),
        (
            ["ANTHROPIC_API_KEY": "sk-ant-x", "ANTHROPIC_BASE_URL": "BASE"], "anthropic",
            "x-api-key: sk-ant-x"
        ),
    ]) func `a key of Gemini or Anthropic is used, and goes into a header only (B158)`(
        variables: [String: String], name: String, header: String
    ) throws {
        let answer =
            name == "gemini"
            ? #"data: {"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}]}"#
                + "\r\n\r\n"
            : """
            data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}

            data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}

            data: {"type":"message_stop"}


            """
        let server = try ScriptedUpstream([[.write(ScriptedUpstream.head + answer)]])
        let found = try self.answer(variables.mapValues { $0 == "BASE" ? server.origin : $0 })
        #expect(found.upstream == name)
        #expect(server.requests[0].contains(header))
        #expect(!server.requests[0].prefix { $0 != "\r\n" }.contains("-x"))
    }
}

@Suite struct `A key file` {
    @Test func `that others can read is refused, and its content told to nobody`() throws {
        let directory = try TemporaryDirectory()
        try shell(
            "sh", "-c",
            "echo sk-planted-5678 > \(directory.file("key")) && chmod 644 \(directory.file("key"))")
        let daemon = try TestDaemon(
            "{ upstreams: { a: { kind: 'openai', model: 'm', keys: [{ file: '\(directory.file("key"))' }] } } }"
        )
        let client = try daemon.client()
        try client.open("demo")
        let refused = try client.prompt("demo", "x")
        #expect(refused.kind == "upstream_auth")
        #expect(
            refused.error?["message"]?.string?.contains(
                "can be read by others (mode 644); run 'chmod 600' on it") == true)
        #expect(!daemon.logged.joined().contains("sk-planted"))
        let dump = try shell("sh", "-c", "cat \(daemon.database)* | strings")
        #expect(!dump.contains("sk-planted"))
    }
}

@Suite struct `The table of models that is shipped` {
    @Test(
        arguments: [
            ("anthropic", "claude-sonnet-4-5-20250929", "api.anthropic.com", 3.0, 200_000),
            ("anthropic", "claude-opus-5-5", "api.anthropic.com", 4.0, 1_000_000),
            ("openai", "gpt-4o-2024-08-06", "api.openai.com", 2.5, 128_000),
            ("openai", "gpt-4o", "gateway.example", nil, 128_000),
            ("openai", "qwen3", "127.0.0.1", nil, nil),
            ("gemini", "models/gemini-2.5-flash", "generativelanguage.googleapis.com", 0.3, 1_048_576),
            ("anthropic", "claude-opus-9", "api.anthropic.com", nil, 200_000),
        ] as [(String, String, String, Double?, Int?)])
    func `knows prices by name and server, and nothing that it cannot know`(
        _ kind: String, _ name: String, _ host: String, _ input: Double?, _ length: Int?
    ) {
        let known = ModelTable.shipped.model(name, kind: kind, host: host)
        #expect(known?.prices?.input == input && known?.contextLength == length)
    }
}

@Suite struct `A configuration that no daemon could work with` {
    private static func upstream(_ members: String) -> String {
        "{ upstreams: { a: { kind: 'openai', \(members) } } }"
    }

    @Test(arguments: [
        // A daemon that a command starts works in another directory.
        ("{ database: { path: 'rel.db' } }", "'database.path' must be a path that begins with '/'"),
        ("{ database: { path: '~/c.db' } }", "it is \"~/c.db\""),
        ("{ database: { path: '' } }", "'database.path' must be a path"),
        ("{ database: { path: '/a\\u0000b' } }", "no control characters"),
        ("{ socket: { path: 's.sock' } }", "'socket.path' must be a path"),
        (
            "{ socket: { path: '/\(String(repeating: "s", count: 120))' } }",
            "may have 107 bytes, this one has 121"
        ),
        (upstream("keys: [{ file: 'key' }]"), "a key's 'file' must be a path"),
        (upstream("keys: [{ credential: '../../etc/shadow' }]"), "without '/'; it is \"../../etc/shadow\""),
        (upstream("caFile: 'ca.pem'"), "caFile' must be a path"),
        (upstream("baseURL: 'http://h:99999/v1'"), "a port from 1 to 65535"),
        (upstream("baseURL: 'http://[::1'"), "'baseURL' must be"),
        (upstream("baseURL: 'http://'"), "'baseURL' must be"),
        (upstream("headers: { 'Content-Length': '3' }"), "'headers' may not hold 'Content-Length'"),
        (upstream("timeouts: { connect: '0s' }"), "at least 1ms"),
        (upstream("baseURL: 'http://h:+80'"), "'baseURL' must be"),
        (upstream("baseURL: 'http://[]/'"), "'baseURL' must be"),
        (upstream("signing: { secret: { env: 'S' }, header: 'Content-Length' }"), "'signing.header' must be"),
        ("{ upstreams: { '': { kind: 'echo' } } }", "must have 1 to 256 bytes"),
        ("{ upstreams: { 'a\\u001b': { kind: 'echo' } } }", "no control characters"),
    ]) func `is refused where it is read`(text: String, said: String) {
        let found = complaint(text)
        #expect(found?.contains(said) == true, "\(found ?? "taken")")
    }

    @Test(arguments: [
        "https://host:/v1", "http://127.0.0.1:8080/v1", "https://[::1]:443", "https://host",
        "http://h.example:1/",
        "https://[2001:db8::1]/v1",
    ]) func `is taken with each address that requests can go to`(address: String) {
        #expect(complaint(Self.upstream("baseURL: '\(address)'")) == nil)
    }
}
