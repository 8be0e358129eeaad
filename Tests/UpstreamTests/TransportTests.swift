internal import Conversation
internal import EventLoop
internal import Posix
internal import TestSupport
internal import Testing
internal import Upstream

/// What comes of a question to `base` under an environment.
private func ask(_ base: String, _ environment: [String: String] = [:]) throws -> UpstreamFailure? {
    let loop = try EventLoop()
    let upstream = try httpUpstream(
        UpstreamSettings(name: "me", kind: .openai, baseURL: base), environment: environment,
        loop)
    var end: UpstreamEvent?
    let call = upstream.start(try Request.of([Request.user(.text("hi"))])) { event in
        if case .pieces = event { return }
        end = event
    }
    while end == nil { try loop.turn(waiting: true) }
    call.cancel()
    if case .failed(let failure) = end { return failure }
    return nil
}

private func answer(_ status: String) -> [ScriptedUpstream.Step] {
    [.write("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")]
}

@Suite struct `What stands in the way of a server` {
    @Test func `is told of a proxy that wants a login, and not tried again`() throws {
        let proxy = try ScriptedUpstream([answer("407 Proxy Authentication Required")])
        let address = "http://me:secret-of-mine@127.0.0.1:\(proxy.port)"
        let tunnel = try #require(try ask("https://example.org/v1", ["https_proxy": address]))
        #expect(tunnel.kind == .unavailable && !tunnel.isRetryable)
        #expect(
            tunnel.message.hasPrefix(
                "the proxy '127.0.0.1:\(proxy.port)' wants a name and a password (HTTP 407)"))
        let plain = try #require(try ask("http://example.org/v1", ["http_proxy": address]))
        #expect(plain.kind == .unavailable && !plain.isRetryable && plain.message.contains("proxy"))
        #expect(!(tunnel.message + plain.message).contains("secret-of-mine"))
    }

    @Test(arguments: [("403 Forbidden", false), ("502 Bad Gateway", true)])
    func `is told of a proxy that lets nobody through`(status: String, isRetryable: Bool) throws {
        let proxy = try ScriptedUpstream([answer(status)])
        let failure = try #require(
            try ask("https://example.org/v1", ["HTTPS_PROXY": "127.0.0.1:\(proxy.port)"]))
        #expect(
            failure.message
                == "the proxy '127.0.0.1:\(proxy.port)' does not let through to 'example.org' (HTTP \(status.prefix(3)))"
        )
        #expect(failure.isRetryable == isRetryable)
    }

    @Test func `is told of a proxy that is not there, which may come back`() throws {
        let port = freePort()
        for base in ["https://example.org/v1", "http://example.org/v1"] {
            let failure = try #require(try ask(base, ["all_proxy": "http://127.0.0.1:\(port)/"]))
            #expect(
                failure.message.hasPrefix("the proxy '127.0.0.1:\(port)' does not answer"),
                "\(failure.message)")
            #expect(failure.isRetryable)
        }
    }

    @Test func `shows nothing of a proxy's password, whatever stands in it`() throws {
        for address in [
            "http://me:se/cret@127.0.0.1:1", "http://me:se?cret@127.0.0.1:1", "me:se#cr@et@127.0.0.1:1",
        ] {
            let failure = try #require(try ask("https://example.org/v1", ["https_proxy": address]))
            #expect(
                !failure.message.contains("se") || failure.message.contains("server"), "\(failure.message)")
            #expect(
                !failure.message.contains("cret") && !failure.message.contains("me:"), "\(failure.message)")
        }
    }

    @Test func `is no proxy for this machine's own servers`() throws {
        let server = try ScriptedUpstream([ScriptedUpstream.answer(["fine"])])
        #expect(try ask(server.base, ["http_proxy": "http://proxy.invalid:1"]) == nil)
    }

    @Test(arguments: [
        "error:0A00010B:SSL routines::wrong version number",
        "TLS connect error: error:0A0000C6:SSL routines::packet length too long",
    ]) func `is told of a server without TLS`(words: String) {
        let failure = TransportFailure(
            code: 35, message: "SSL connect error", details: words, host: "example.org:80")
        #expect(failure.sentence?.hasPrefix("what answers at 'example.org:80' does not speak TLS") == true)
        #expect(!failure.isRetryable)
        #expect(TransportFailure(code: 35, message: "", details: "connection reset by peer").isRetryable)
    }

    /// curl's words for faults of certificates, as versions of OpenSSL put them; `Tests/External/tls.py` has them from servers.
    @Test(arguments: [
        (
            "SSL certificate problem: unable to get local issuer certificate",
            TransportFailure.Cause.unknownIssuer
        ),
        ("SSL certificate problem: self-signed certificate in certificate chain", .unknownIssuer),
        ("SSL certificate problem: self signed certificate", .unknownIssuer),
        ("SSL certificate problem: certificate has expired", .expired),
        ("SSL certificate problem: certificate is not yet valid", .notYetValid),
        ("SSL: no alternative certificate subject name matches target host name 'x'", .otherName),
        ("SSL certificate problem: EE certificate key too weak", .certificate),
    ]) func `is told of a certificate by its own fault, and not tried again`(
        words: String, cause: TransportFailure.Cause
    ) {
        let failure = TransportFailure(
            code: 60, message: "SSL peer certificate was not OK", details: words, host: "example.org")
        #expect(failure.cause == cause && !failure.isRetryable)
        #expect(failure.sentence?.contains("'example.org'") == true)
    }
}

@Suite struct `A connection that was kept` {
    /// HTTP/1.1's form of a GOAWAY: the server closes what the client is about to use.
    ///
    /// Short bodies are curl's, long ones are asked of us.
    @Test(arguments: [1, 3_000, 60_000])
    func
        `and is dead when the next request goes out costs no try, and that is sent anew (N047)`(
            words: Int
        ) throws
    {
        let long = String(repeating: "words ", count: words)
        let page = #"{"choices":[{"message":{"content":"fine"},"finish_reason":"stop"}]}"#
        let kept: [ScriptedUpstream.Step] = [
            .write(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(page.utf8.count)\r\n\r\n\(page)"
            )
        ]
        let server = try ScriptedUpstream([kept, [.reset], kept])
        let loop = try EventLoop()
        let upstream = try httpUpstream(
            UpstreamSettings(name: "me", kind: .openai, baseURL: server.base), environment: [:], loop)
        for number in 1...2 {
            var end: UpstreamEvent?
            let call = upstream.start(try Request.of([Request.user(.text(long + "hi \(number)"))])) { event in
                if case .pieces = event { return }
                end = event
            }
            while end == nil { try loop.turn(waiting: true) }
            guard case .finished = end else {
                Issue.record("prompt \(number) came to \(String(describing: end))")
                continue
            }
            withExtendedLifetime(call) {}
        }
        #expect(server.requests.count == 3)
        #expect(server.requests[1].contains("hi 2") && server.requests[2].contains("hi 2"))
    }

    /// Before 8.1 libcurl may hang where a transfer of HTTP/2 is paused (curl/curl#10988).
    @Test(.enabled(if: HTTPLibrary.version.contains("/7.") || HTTPLibrary.version.contains("libcurl/8.0")))
    func `is never one of HTTP/2 where libcurl hangs paused (N047)`() throws {
        let directory = try TemporaryDirectory()
        let key = directory.file("k.pem"), certificate = directory.file("c.pem"),
            said = directory.file("said")
        try shell(
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            "/CN=localhost",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate)
        let port = freePort(), log = try Files.open(said, .replacing)
        let server = try Process.start(
            "/usr/bin/openssl",
            [
                "s_server", "-accept", "127.0.0.1:\(port)", "-key", key, "-cert", certificate, "-alpn",
                "h2,http/1.1", "-www", "-trace",
            ], environment: [:], streams: Process.Streams(output: log.raw, error: log.raw))
        defer {
            try? Process.signal(server, Signals.kill)
            _ = try? Process.reap(server)
        }
        let end = Machine.monotonic() + 20_000_000_000
        while !text(try Files.read(said)).contains("ACCEPT") { try #require(Machine.monotonic() < end) }
        let loop = try EventLoop()
        let upstream = try httpUpstream(
            UpstreamSettings(name: "me", kind: .openai, baseURL: "https://127.0.0.1:\(port)/v1"),
            environment: ["SSL_CERT_FILE": certificate], loop)
        let call = upstream.start(try Request.of([Request.user(.text("hi"))])) { _ in }
        // What the client offers, and what is chosen of it.
        let offer = "extension_type=application_layer_protocol_negotiation"
        while text(try Files.read(said)).ranges(of: offer).count < 2 {
            let words = text(try Files.read(said)).suffix(400)
            try #require(Machine.monotonic() < end, "\(words)")
            loop.after(milliseconds: 2) {}
            try loop.turn(waiting: true)
        }
        call.cancel()
        let lines = text(try Files.read(said)).split(separator: "\n").map { $0.drop { $0 == " " } }
        #expect(lines.contains("http/1.1") && !lines.contains("h2"))
    }
}
