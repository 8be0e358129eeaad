internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `Unlucky moments` {
    @Test(arguments: [
        #"{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}"#,
        #"{"prompt_tokens":-9223372036854775807,"completion_tokens":-9223372036854775807}"#,
    ])
    func `a server that counts without sense is answered for all the same`(usage: String) throws {
        let bench = try Bench(
            [[ScriptedUpstream.answer(["hi"], usage: usage)]],
            each: "price: { input: 100000, output: 100000 }", more: "throttle: { tokensPerMinute: 100000 }")
        _ = try bench.ask("s")
        #expect(try bench.client.messages("s").count == 2)
    }

    @Test func `an edit of a prompt that is about to begin is what is sent`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        let running = try client.startPrompt("s", "count to 100000")
        let first = try client.update { $0.extras?["state"]?.string == "waiting" }.extras?["turnId"]?.string
        let second = try client.startPrompt("s", "old words")
        let queued = try client.update { $0.extras?["state"]?.string == "queued" }.extras?["turnId"]?.string
        let cancel = try #require(first), edit = try #require(queued)
        try client.send(
            Array(
                """
                {"jsonrpc":"2.0","id":"c","method":"_convod/turn/cancel","params":{"turnId":"\(cancel)"}}
                {"jsonrpc":"2.0","id":"e","method":"_convod/turn/set","params":{"turnId":"\(edit)","prompt":[{"type":"text","text":"new words"}]}}

                """.utf8))
        var isRefused: Bool?, isDone = false
        while isRefused == nil || !isDone {
            let message = try client.next()
            if message["id"]?.string == "e" { isRefused = message["error"] != nil }
            if message["id"]?.int == second { isDone = true }
        }
        _ = running
        // Where the look for the edit comes late the turn may have begun, and its client is told so.
        let said = isRefused == true ? "old words" : "new words"
        #expect(
            isRefused == false || !TestDaemon.lateReads.isEmpty, "nothing began before the edit was there")
        #expect(try client.messages("s").contains("user: \(said)"))
    }

    @Test func `a retry that must wait for the throttle is refused, and goes on from nowhere else`() throws {
        let daemon = try TestDaemon(
            "{ upstreams: { echo: { kind: 'echo' } }, throttle: { promptsPerMinute: 1 } }")
        let client = try daemon.client()
        try client.open("s")
        _ = try client.prompt("s", "one")
        #expect(try client.call("_convod/turn/retry", #"{"sessionId":"s"}"#).kind == "throttled")
        #expect(try client.messages("s").count == 2)
    }

    @Test func `a request to watch that is refused joins nothing`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client(), other = try daemon.client()
        try client.open("s")
        #expect(try other.call("_convod/watch", #"{"sessions":["s","nowhere"]}"#).kind == "not_found")
        #expect(try other.prompt("s", "may I?").result != nil)
    }

    @Test func `a prompt beside a switch sees the path on which it is stored`() throws {
        let daemon = try TestDaemon()
        let one = try daemon.client(), other = try daemon.client()
        try one.open("s")
        for words in ["a", "b", "c"] { _ = try one.prompt("s", words) }
        let first = try one.call("_convod/message/list", #"{"sessionId":"s","limit":1}"#)
            .result?["messages"]?.elements.first { _ in true }?["id"]?.string
        let id = try #require(first)
        _ = try one.call("_convod/turn/retry", #"{"sessionId":"s","messageId":"\#(id)"}"#)
        let branch = try one.call("_convod/branch/list", #"{"sessionId":"s"}"#)
            .result?["branches"]?.elements.first { _ in true }?["branch"]?.int
        let old = try #require(branch)
        let change = try one.start("_convod/branch/switch", #"{"sessionId":"s","branch":\#(old)}"#)
        let prompt = try other.startPrompt("s", "where am I?")
        _ = try one.finish(change)
        _ = try other.finish(prompt)
        let messages = try one.messages("s")
        #expect(messages.last?.hasPrefix("assistant: Message \(messages.count - 1) ") ?? false)
    }
}
