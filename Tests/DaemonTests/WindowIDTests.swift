internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A client that calls the model itself` {
    private let bench: Bench

    init() throws {
        bench = try Bench([[ScriptedUpstream.fineByAnthropic]], kind: "anthropic")
        try bench.client.open("s")
        #expect(try bench.client.prompt("s", "first").result != nil)
    }

    /// Asks what a prompt would send, and appends the prompt with an answer that thought.
    private func exchange(_ words: String, isBound: Bool) throws {
        let prompt = #"[{"type":"text","text":"\#(words)"}]"#
        let built = try bench.client.call(
            "_convod/context/build", #"{"sessionId":"s","dialect":"anthropic","prompt":\#(prompt)}"#
        ).result
        let id = try #require(built?["windowId"]?.string)
        let window = isBound ? #","windowId":\#(quoted(id))"# : ""
        let appended = try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"user","content":\#(prompt)},{"role":"assistant","content":[{"type":"thought","text":"hm","signature":"seal of \#(words)"},{"type":"text","text":"ok"}]}]\#(window)}"#
        )
        #expect(appended.result != nil)
    }

    private func lastRequest() throws -> String {
        #expect(try bench.client.prompt("s", "and now").result != nil)
        return bench.servers[0].requests.last ?? ""
    }

    @Test func `gets its model's thoughts back where it names the window that they were made with`() throws {
        try exchange("second", isBound: true)
        #expect(try lastRequest().contains("seal of second"))
    }

    @Test func `gets none back without, and none behind what was changed since (N004)`() throws {
        try exchange("second", isBound: false)
        #expect(try !lastRequest().contains("seal of second"))
        try exchange("third", isBound: true)
        #expect(try lastRequest().contains("seal of third"))
        _ = try bench.client.call("_convod/session/set", #"{"sessionId":"s","system":"other"}"#)
        #expect(try !lastRequest().contains("seal of third"))
    }

    @Test func `is told the names that its tools have there, and what is no window`() throws {
        _ = try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"assistant","content":[{"type":"tool_call","id":"1","name":"get.weather v2","arguments":{}}]},{"role":"tool","content":[{"type":"tool_result","toolCallId":"1","content":"sun"}]}]}"#
        )
        let built = try bench.client.call(
            "_convod/context/build", #"{"sessionId":"s","dialect":"anthropic"}"#
        ).result
        let names = built?["toolNames"]?.members.map { ($0.key, $0.value.string ?? "") } ?? []
        #expect(names.count == 1 && names.first?.1 == "get.weather v2")
        let messages = built?["messages"].map { text($0.raw) } ?? ""
        #expect(messages.contains(names.first?.0 ?? "none"))
        let neutral = try bench.client.call("_convod/context/build", #"{"sessionId":"s"}"#).result
        #expect(neutral != nil && neutral?["toolNames"] == nil)
        let wrong = try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"user","content":"x"}],"windowId":"none"}"#)
        #expect(wrong.kind == "invalid_params")
    }
}
