@testable internal import Daemon
internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A clock that is set back` {
    @Test func `makes no wait longer than it was: of a server, of a key, of a breaker, of a user`() throws {
        let wall = ManualClock(), steady = ManualClock()
        let limited = ScriptedUpstream.failure("429 Too Many Requests", "{}", headers: "Retry-After: 1\r\n")
        let good = ScriptedUpstream.answer(["fine"])
        for (script, each) in [
            ([limited, good], ""), ([limited, good], "keys: [{ env: 'K' }]"),
            ([down, good], "breaker: { failures: 1, cooldown: '1s' }"),
        ] {
            let bench = try Bench(
                [script], each: each, more: "retry: { attempts: 1, total: '1ms', base: '1ms' }",
                environment: ["K": "key"], clock: wall.now, steady: steady.now)
            #expect(try bench.ask("s").kind != nil)
            wall.advance(-3_600_000)
            steady.advance(1_100)
            let answer = try bench.client.prompt("s", "again")
            #expect(answer.text() == "fine", "\(each): \(answer.error.map { text($0.raw) } ?? "")")
        }
        let throttled = try TestDaemon(
            "{ upstreams: { echo: { kind: 'echo' } }, throttle: { promptsPerMinute: 1, wait: '10s' } }",
            clock: wall.now, steady: steady.now)
        let client = try throttled.client()
        try client.open("s")
        #expect(try client.prompt("s", "one").result != nil)
        wall.advance(-3_600_000)
        steady.advance(60_000)
        #expect(try client.prompt("s", "two").result != nil)
    }
}

@Suite struct `A time` {
    @Test(arguments: ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
    func `outside the years 1 to 9999 is refused`(time: String) throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        let answer = try client.call(
            "_convod/message/append",
            #"{"sessionId":"s","ifMissing":"create","messages":[{"role":"user","createdAt":"\#(time)","content":[{"type":"text","text":"x"}]}]}"#
        )
        #expect(answer.kind == "invalid_params")
        #expect(try client.call("_convod/session/find", #"{"since":"\#(time)"}"#).kind == "invalid_params")
    }
}

@Suite struct `A model's name` {
    @Test(arguments: ["a/../../secret", "..", "/etc", "a//b", "a/./b", "a b", "a\\b", "x\u{7f}"])
    func `that leads elsewhere is refused wherever it is said`(name: String) throws {
        let bench = try Bench([[ScriptedUpstream.answer(["x"])]], kind: "gemini")
        let client = bench.client
        try client.open("s")
        for (method, params) in [
            (
                "session/prompt",
                #"{"sessionId":"s","prompt":[{"type":"text","text":"x"}],"_meta":{"convod":{"model":\#(quoted(name))}}}"#
            ),
            ("session/new", #"{"_meta":{"convod":{"model":\#(quoted(name))}}}"#),
            ("_convod/session/set", #"{"sessionId":"s","model":\#(quoted(name))}"#),
            ("session/set_config_option", #"{"sessionId":"s","configId":"model","value":\#(quoted(name))}"#),
            ("_convod/turn/start", #"{"sessionId":"s","model":\#(quoted(name))}"#),
            ("_convod/upstream/test", #"{"upstream":"a","model":\#(quoted(name))}"#),
            (
                "_convod/context/preview",
                #"{"sessionId":"s","prompt":[{"type":"text","text":"x"}],"model":\#(quoted(name))}"#
            ),
            ("_convod/context/build", #"{"sessionId":"s","model":\#(quoted(name))}"#),
        ] {
            let answer = try client.call(method, params)
            #expect(answer.kind == "invalid_params", "\(method): \(answer.kind ?? "taken")")
            #expect(answer.error?["message"]?.string?.contains("model' must") == true, "\(method)")
        }
        #expect(bench.counts == [0])
    }

    @Test(arguments: [
        "hf.co/bartowski/Llama-3.2-3B-GGUF:Q4_K_M", "models/gemini-2.5-flash", "gpt-4.1", "~openai/x@1",
    ])
    func `as providers have them is taken`(name: String) throws {
        let bench = try Bench([[ScriptedUpstream.answer(["x"])]])
        try bench.client.open("s")
        #expect(try bench.client.prompt("s", "x", #""model":\#(quoted(name))"#).result != nil)
    }
}

@Suite struct `The time by which what is old goes` {
    private let day = CautiousTime.patience

    @Test func `is the clock's while that goes steadily, by some seconds ahead or back too`() {
        var time = CautiousTime(wall: 1_000, steady: 0)
        for (wall, steady) in [(1_000, 0), (day, day - 1_000), (day + 3_600_000, day), (day * 90, day * 90)] {
            #expect(time.now(wall: wall, steady: steady) == (wall, 0))
        }
    }

    @Test func `leaves out what the clock leapt ahead, each leap for a day`() {
        var time = CautiousTime(wall: 0, steady: 0)
        #expect(time.now(wall: 40 * day, steady: 0) == (0, 40 * day))
        #expect(time.now(wall: 90 * day + 7, steady: 7) == (7, 90 * day))
        #expect(time.now(wall: 91 * day, steady: day) == (41 * day, 50 * day))
        #expect(time.now(wall: 92 * day, steady: 2 * day) == (92 * day, 0))
    }

    @Test func `goes back with a clock that was set right again, and throws nothing away for that`() {
        var time = CautiousTime(wall: 0, steady: 0)
        _ = time.now(wall: 40 * day, steady: 1)
        #expect(time.now(wall: 2, steady: 2).time <= 2)
        #expect(time.now(wall: day + 2, steady: day + 2) == (day + 2, 0))
    }
}
