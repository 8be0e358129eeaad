internal import TestSupport
internal import Testing

@Suite struct `A switch to another model` {
    @Test func `says before it is made what has to be read anew`() throws {
        let server = try ScriptedUpstream([ScriptedUpstream.answer(["fine"])])
        let home = try Home(
            """
            { upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm' } },
              models: { openai: [{ match: 'other', prices: { input: 1000, output: 1 } }] } }
            """)
        #expect(try home.convo("send", "--new", "talk", "hello", "there").code == 0)
        let same = try home.convo("set", "talk", "-m", "m")
        #expect(same.code == 0 && !same.said.contains("anew"), "\(same)")
        let other = try home.convo("set", "talk", "-m", "other")
        #expect(other.code == 0 && other.said.contains("tokens anew, about $0.0"), "\(other)")
        let unknown = try home.convo("set", "talk", "-m", "unheard-of")
        #expect(unknown.code == 0 && unknown.said.contains("tokens anew\n"), "\(unknown)")
        let terminal = try Terminal(Built.convo, ["chat", "-s", "talk"], environment: home.environment)
        try terminal.see("› ")
        try terminal.type("/model other\n")
        try terminal.see("tokens anew, about $0.0")
    }
}
