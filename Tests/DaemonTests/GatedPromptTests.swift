internal import JSON
internal import TestSupport
internal import Testing

private func append(_ client: TestClient, _ messages: String) throws {
    let done = try client.call(
        "_convod/message/append", #"{"sessionId":"s","ifMissing":"create","messages":[\#(messages)]}"#)
    #expect(done.result != nil, "\(text(done.message.raw))")
}

private let call =
    #"{"role":"user","content":[{"type":"text","text":"look"}]},{"role":"assistant","content":[{"type":"tool_call","id":"c1","name":"look","arguments":{}}]}"#

@Suite struct `What a tool gave` {
    @Test(arguments: [#"tool\u005fresult"#, #"\u0074ool_result"#, "tool_result"])
    func `goes with its call however its type is spelled`(type: String) throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try append(
            client,
            call
                + #",{"role":"tool","content":[{"type":"\#(type)","toolCallId":"c1","content":"it is mild"}]}"#
        )
        let built = try client.call(
            "_convod/context/build",
            #"{"sessionId":"s","dialect":"openai","prompt":[{"type":"text","text":"and?"}]}"#)
        let said = text(built.message.raw)
        #expect(said.contains("it is mild") && !said.contains("interrupted"), "\(said)")
    }
}

@Suite struct `A document that its server does not take` {
    @Test func `costs what its name does, in the prompt, in the history and as a pin`() throws {
        let bench = try Bench(
            [Array(repeating: ScriptedUpstream.answer(["fine"]), count: 3)], each: "contextLength: 8192")
        let pdf = String(repeating: "JVBE", count: 100_000)
        let document =
            #"{"type":"resource","resource":{"uri":"file:///a.pdf","mimeType":"application/pdf","blob":"\#(pdf)"}}"#
        try append(bench.client, #"{"role":"user","content":[{"type":"text","text":"my name is Bob"}]}"#)
        try append(bench.client, #"{"role":"user","content":[\#(document)]}"#)
        let asked = try bench.client.call(
            "session/prompt",
            #"{"sessionId":"s","prompt":[{"type":"text","text":"what is in it?"},\#(document)]}"#)
        let receipt = asked.extras?["receipt"]
        #expect(receipt?["rule"]?.string == "fits", "\(text(asked.message.raw))")
        #expect(receipt?["estimate"]?.int ?? 10_000 < 200)
        #expect(bench.servers[0].requests[0].contains("my name is Bob"))
        #expect(bench.servers[0].requests[0].contains("[document file:///a.pdf]"))
        let list = try bench.client.call("_convod/message/list", #"{"sessionId":"s","limit":2}"#).result
        let id = list?["messages"]?.elements.dropFirst().first { _ in true }?["id"]?.string ?? ""
        let pinned = try bench.client.call(
            "_convod/message/set", #"{"sessionId":"s","messageId":"\#(id)","pinned":true}"#)
        #expect(pinned.result != nil, "\(text(pinned.message.raw))")
    }
}

@Suite struct `A window that is written for another dialect` {
    @Test func `holds no more than is counted as that one has it`() throws {
        let bench = try Bench(
            [[ScriptedUpstream.fineByAnthropic]], kind: "anthropic", each: "contextLength: 9000")
        let sound = String(repeating: "UklG", count: 100_000)
        try append(
            bench.client,
            #"{"role":"user","content":[{"type":"audio","mimeType":"audio/wav","data":"\#(sound)"}]},{"role":"assistant","content":[{"type":"text","text":"heard"}]}"#
        )
        for (dialect, isWhole) in [
            ("\"openai\"", true), ("\"gemini\"", true), ("null", true), ("\"anthropic\"", false),
        ] {
            let built = try bench.client.call(
                "_convod/context/build",
                #"{"sessionId":"s","dialect":\#(dialect),"window":{"maxTokens":200},"prompt":[{"type":"text","text":"and?"}]}"#
            )
            let estimate = built.result?["receipt"]?["estimate"]?.int ?? 0
            #expect(estimate > 0 && estimate <= 200 && built.message.raw.count < 4_000, "\(dialect)")
            #expect((built.result?["receipt"]?["leftOutMessages"]?.int ?? 0 > 0) == isWhole, "\(dialect)")
        }
    }

    @Test func `as pinned with its message costs what it goes as`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s", #""window":{"pinTokens":300}"#)
        let image =
            #"{"type":"image","mimeType":"image/tiff","data":"\#(String(repeating: "SUkq", count: 500))"}"#
        try append(client, #"{"role":"user","pinned":true,"content":[\#(image)]}"#)
    }
}

@Suite struct `A call that another model made` {
    @Test func `goes with a thought of nothing to who takes none without one`() throws {
        let refused = ScriptedUpstream.failure(
            "400 Bad Request",
            #"{"error":{"message":"Missing `reasoning_content` field in the assistant message at index 1"}}"#)
        let fine = ScriptedUpstream.answer(["fine"])
        let bench = try Bench([[refused, fine, fine]])
        try append(
            bench.client,
            call + #",{"role":"tool","content":[{"type":"tool_result","toolCallId":"c1","content":"mild"}]}"#)
        for _ in 1...2 { #expect(try bench.client.prompt("s", "and?").text() == "fine") }
        let sent = bench.servers[0].requests.map { $0.contains(#""reasoning_content":" ""#) }
        #expect(sent == [false, true, true])
    }
}

@Suite struct `A prompt that asks for a long answer` {
    @Test func `moves no cut of those that do not`() throws {
        let words = String(repeating: "word ", count: 95)
        let fine = ScriptedUpstream.answer(["fine"], usage: "null")
        let bench = try Bench(
            [(1...6).map { _ in fine }], each: "contextLength: 4000", more: "window: { strategy: 'sawtooth' }"
        )
        let messages = (1...60).map {
            #"{"role":"\#($0.isMultiple(of: 2) ? "assistant" : "user")","content":[{"type":"text","text":"message \#($0) \#(words)"}]}"#
        }
        try append(bench.client, messages.joined(separator: ","))
        func count() -> Int { (bench.servers[0].requests.last?.split(separator: "message ").count ?? 0) - 1 }
        _ = try bench.client.prompt("s", "plain")
        let before = count()
        _ = try bench.client.prompt("s", "long", #""params":{"maxTokens":3700}"#)
        #expect(count() < before / 2)
        _ = try bench.client.prompt("s", "plain again")
        #expect(count() >= before, "\(count()) \(before)")
    }
}

@Suite struct `A summary that is being made` {
    @Test func `holds up no prompt of its user, whatever it will use`() throws {
        let fine = ScriptedUpstream.answer(["fine"], usage: #"{"prompt_tokens":10,"completion_tokens":1}"#)
        let bench = try Bench(
            [[fine, fine, fine, fine], [[.hold] + ScriptedUpstream.answer(["gist"])]],
            more: "summarizer: { upstream: 'b' }, quotas: { user: { tokensPerDay: 3000 } }")
        try bench.client.open("s")
        let words = String(repeating: "word ", count: 2_000)
        _ = try bench.client.prompt("s", words, #""window":{"maxTurns":1}"#)
        _ = try bench.client.prompt("s", "short", #""window":{"maxTurns":1}"#)
        let summary = try bench.client.start("_convod/session/compact", #"{"sessionId":"s"}"#)
        let other = try bench.daemon.client()
        for _ in 0..<100_000 where bench.counts[1] == 0 { _ = try other.call("_convod/server/info") }
        #expect(bench.counts[1] == 1)
        try other.open("t")
        let answer = try other.prompt("t", "hello")
        #expect(answer.text() == "fine", "\(text(answer.message.raw))")
        bench.servers[1].proceed()
        #expect(try bench.client.finish(summary).result != nil)
    }
}
