internal import Daemon
internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

/// Every key that takes a number, a time or a size, as a piece of configuration with `@` for the value.
private let keys: [String] = [
    "drain: @",
    "limits: { line: @ }", "limits: { depth: @ }", "limits: { connections: @ }", "limits: { outbox: @ }",
    "limits: { buffers: @ }", "limits: { userBuffers: @ }", "limits: { queue: @ }", "limits: { queued: @ }",
    "limits: { requests: @ }", "limits: { unstored: @ }",
    "window: { maxTokens: @ }", "window: { reserveTokens: @ }", "window: { maxTurns: @ }",
    "window: { maxMessages: @ }",
    "retry: { attempts: @ }", "retry: { total: @ }", "retry: { base: @ }", "retry: { cap: @ }",
    "retry: { patience: @ }",
    "throttle: { promptsPerMinute: @ }", "throttle: { tokensPerMinute: @ }",
    "throttle: { promptsPerMinute: 100, wait: @ }",
    "quotas: { user: { tokensPerDay: @ } }", "quotas: { user: { costPerDay: @ } }",
    "quotas: { session: { tokens: @ } }", "quotas: { session: { cost: @ } }",
    "cache: { enabled: true, age: @ }", "cache: { enabled: true, entries: @ }",
    "UP: delay: @", "WEB: contextLength: @",
    "WEB: timeouts: { connect: @ }", "WEB: timeouts: { firstToken: @ }", "WEB: timeouts: { gap: @ }",
    "WEB: throttle: { requestsPerMinute: @ }", "WEB: throttle: { tokensPerMinute: @ }",
    "WEB: breaker: { failures: @ }", "WEB: breaker: { cooldown: @ }", "WEB: breaker: { longest: @ }",
    "WEB: price: { input: @ }", "WEB: price: { output: @ }", "WEB: price: { cachedInput: @ }",
]

private let values: [String] = [
    "0", "1", "100", "10000", "-1", "9223372036854775807", "-9223372036854775808", "18446744073709551616",
    "1e12", "1e300", "0.5",
    "'0ms'", "'1ms'", "'3650d'", "'3651d'", "'18446744073709551ms'", "'9223372036854775807ms'",
    "'9223372036854775807d'", "'0B'", "'4KiB'", "'1GiB'", "'1TiB'", "'9223372036854775807B'",
    "'9007199254740993GiB'",
]

/// A whole configuration with one key set.
private func configuration(_ key: String, _ value: String) -> String {
    let text = key.split(separator: "@", omittingEmptySubsequences: false).joined(separator: value)
    func upstreams(_ echo: String, _ web: String) -> String {
        (key.hasPrefix("drain") ? "" : "drain: '20ms', ")
            + "upstreams: { echo: { kind: 'echo'\(echo) }, web: { kind: 'openai', model: 'm', baseURL: 'http://127.0.0.1:9/v1'\(web) } }"
    }
    if text.hasPrefix("UP: ") { return "{ \(upstreams(", " + text.dropFirst(4), "")) }" }
    if text.hasPrefix("WEB: ") { return "{ \(upstreams("", ", " + text.dropFirst(5))) }" }
    return "{ \(upstreams("", "")), \(text) }"
}

@Suite struct `A configuration of extreme numbers` {
    @Test func `is refused with its place, or can be used`() throws {
        var taken: [(String, String)] = []
        for key in keys {
            let good = values.filter { isGood(key, $0) }
            #expect(!good.isEmpty, "\(key)")
            // The smallest and the largest of those that are good.
            taken += [good.first, good.last].compactMap { $0 }.map { (key, $0) }
        }
        // They are used: a prompt that is answered, one that fails, a reload, a stop.
        for (key, value) in taken {
            let daemon = try RealDaemon(configuration(key, value), in: try TemporaryDirectory())
            // The one that looked whether it listens may be there still.
            if key.contains("connections") { continue }
            let client = try daemon.client()
            _ = try client.open("s")
            if !key.hasPrefix("UP: delay") || value == "'0ms'" {
                _ = try client.prompt("s", "x", #""upstream":"echo""#)
            }
            if !key.contains("attempts") && !key.contains("base") && !key.contains("firstToken") {
                _ = try client.startPrompt("s", "x", #""upstream":"web""#)
            }
            #expect(
                try client.call("_convod/server/info", #"{"config":true}"#).result != nil, "\(key) \(value)")
            try daemon.signal(Signals.hangup)
            try daemon.signal(Signals.terminate)
            try daemon.signal(Signals.terminate)
            #expect(try daemon.ended() == .exited(0), "\(key) \(value): \(daemon.logged)")
        }
    }

    /// Whether a configuration is taken; one that is not says where.
    private func isGood(_ key: String, _ value: String) -> Bool {
        do throws(ConfigurationError) {
            _ = try Configuration(reading: Array(configuration(key, value).utf8), file: "c.json5")
            return true
        } catch {
            #expect(error.description.hasPrefix("c.json5:1:"), "\(error.description)")
            return false
        }
    }

    @Test(arguments: ["9223372036854775807", "18446744073709551615", "0", "-1", "1"])
    func `of a watchdog changes nothing`(microseconds: String) throws {
        let daemon = try RealDaemon(environment: ["WATCHDOG_USEC": microseconds, "NOTIFY_SOCKET": "/nowhere"])
        #expect(try daemon.client().call("_convod/server/info").result != nil)
        #expect(try daemon.stop() == .exited(0))
    }
}

@Suite struct `A credential file` {
    @Test func `that is dated past 2262 is read as any other`() throws {
        let directory = try TemporaryDirectory()
        try Files.replace(directory.file("key.json"), with: Array("{}".utf8))
        try shell("touch", "-d", "2400-01-01", directory.file("key.json"))
        let daemon = try RealDaemon(
            #"{ drain: "50ms", upstreams: { g: { kind: "gemini", model: "m", baseURL: "http://127.0.0.1:9", credentials: { serviceAccount: "\#(directory.file("key.json"))" } } } }"#,
            in: directory)
        let client = try daemon.client()
        try client.open("s")
        #expect(try client.prompt("s", "x").kind == "upstream_auth")
        #expect(try client.call("_convod/upstream/list").result != nil)
    }
}
