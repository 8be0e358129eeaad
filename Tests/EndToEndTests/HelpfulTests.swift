internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

private func list(_ models: String...) -> [ScriptedUpstream.Step] {
    let items = models.map { "{\"id\":\"\($0)\"}" }.joined(separator: ",")
    return ScriptedUpstream.failure("200 OK", "{\"data\":[\(items)]}")
}

private let unknown = ScriptedUpstream.failure(
    "404 Not Found", #"{"error":{"message":"no such model","code":"model_not_found"}}"#)

@Suite struct `What a person is told` {
    @Test func `of a newest answer larger than the window is what the next prompt sees`() throws {
        let home = try Home(Home.echo)
        #expect(
            try home.convo("send", "-n", "--new", "big", String(repeating: "many words ", count: 60)).code
                == 0)
        #expect(try home.convo("window", "big", "--max-tokens", "100").code == 0)
        let drawn = try home.convo("context", "big")
        #expect(drawn.code == 0 && drawn.said.contains("0 of 2 messages go"), "\(drawn)")
        let window = try home.convo("window", "big")
        #expect(window.said.contains("tokens used") && !window.said.contains("nothing now"), "\(window)")
        #expect(try home.convo("send", "-n", "-s", "big", "short").code == 0)
    }

    @Test func `of a model that another upstream has names that one`() throws {
        let a = try ScriptedUpstream([unknown, list("m-1")])
        let b = try ScriptedUpstream([list("other-1")])
        let home = try Home(
            "{ upstreams: { a: { kind: 'openai', baseURL: '\(a.base)', model: 'm-1' }, b: { kind: 'openai', baseURL: '\(b.base)', model: 'other-1' } }, routes: { default: ['a'] } }"
        )
        let (code, said) = try home.convo("send", "-n", "-m", "other-1", "hi")
        #expect(code == 5 && said.contains("'b' does: '-u b'"), "\(said)")
    }

    @Test func `of a start that failed has its time in the log`() throws {
        let home = try Home("{ nonsense: 1 }")
        let (code, said) = try home.convo("start")
        #expect(code == 4 && said.contains("unknown key 'nonsense'") && !said.contains("Z error"), "\(said)")
        let log = try home.convo("logs").said
        #expect(log.hasPrefix("20") && log.contains("Z error convod: "), "\(log)")
    }

    @Test func `in the words of the command line, whatever the daemon calls it`() throws {
        let home = try Home(Home.echo)
        for (arguments, words) in [
            (["send", "-n", "-o", "temperature=9", "hi"], "'-o temperature' must be"),
            (["search", String(repeating: "x", count: 5_000)], "what is searched for may have"),
            (["send", "-n", "-m", String(repeating: "m", count: 300), "hi"], "the model's name "),
        ] {
            let (code, said) = try Built.run(Built.convo, arguments, environment: home.environment)
            #expect(code == 2 && said.contains(words), "\(said)")
        }
    }

    @Test func `by completion of what is in the trash or put aside is that`() throws {
        let home = try Home(Home.echo)
        for name in ["here", "gone", "aside"] { _ = try home.convo("send", "-n", "-q", "--new", name, "hi") }
        #expect(try home.convo("rm", "gone").code == 0)
        #expect(try home.convo("archive", "aside").code == 0)
        func offered(_ command: String) throws -> [Substring] {
            try home.convo("__complete", "--", command, "").said.split(separator: "\n").map {
                $0.split(separator: "\t")[0]
            }
        }
        #expect(try offered("restore") == ["gone"])
        #expect(try offered("unarchive") == ["aside"])
        #expect(try offered("purge").contains("gone"))
    }
}
