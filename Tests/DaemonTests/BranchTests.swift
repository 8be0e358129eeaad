internal import JSON
internal import TestSupport
internal import Testing

/// A client of an echo, with a session of two turns.
private func talked(_ id: String = "s") throws -> TestClient {
    let daemon = try TestDaemon()
    let client = try daemon.client()
    client.kept = [daemon]
    try client.open(id)
    _ = try client.prompt(id, "one")
    _ = try client.prompt(id, "two")
    return client
}

extension TestClient {
    /// The IDs of the messages of the active path.
    fileprivate func ids(_ session: String) throws -> [String] {
        let list = try call("_convod/message/list", #"{"sessionId":"\#(session)"}"#).result
        return list?["messages"]?.elements.compactMap { $0["id"]?.string } ?? []
    }

    /// Branches as `number, fork, own messages` with a star at the active one.
    fileprivate func branches(_ session: String) throws -> [String] {
        let list = try call("_convod/branch/list", #"{"sessionId":"\#(session)"}"#).result
        return list?["branches"]?.elements.map { branch in
            func number(_ key: String) -> String { branch[key]?.int.map(String.init) ?? "-" }
            let star = branch["active"]?.bool == true ? "*" : ""
            return "\(number("branch"))\(star) \(number("forkSeq")) \(number("ownMessages"))"
        } ?? []
    }
}

@Suite struct `A fork` {
    @Test func `begins as its source is, and neither changes the other`() throws {
        let client = try talked()
        let fork = try client.call("session/fork", #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]}"#)
        let id = fork.result?["sessionId"]?.string ?? ""
        #expect(try client.messages(id) == client.messages("s"))
        _ = try client.prompt(id, "on the fork")
        #expect(try client.messages("s").count == 4 && client.messages(id).count == 6)
        _ = try client.prompt("s", "on the source")
        #expect(try client.messages(id)[4] == "user: on the fork")
        let loaded = try client.call(
            "session/load", #"{"sessionId":"\#(id)","cwd":"/tmp","mcpServers":[]}"#)
        #expect(loaded.text("user_message_chunk") == "onetwoon the fork")
    }

    @Test func `may begin at any message, of a branch that is not active too`() throws {
        let client = try talked()
        let old = try client.ids("s")
        _ = try client.call("_convod/turn/retry", #"{"sessionId":"s","messageId":"\#(old[0])"}"#)
        let fork = try client.call(
            "_convod/session/fork",
            #"{"sessionId":"s","newSessionId":"f","messageId":"\#(old[2])","title":"forked"}"#)
        #expect(fork.result?["sessionId"]?.string == "f")
        #expect(
            try client.messages("f") == [
                "user: one", "assistant: Message 1 of this session; you said: one", "user: two",
            ])
        let again = try client.call(
            "_convod/session/fork", #"{"sessionId":"f","newSessionId":"g","messageId":"\#(old[1])"}"#)
        #expect(again.result != nil, "a fork of a fork, at a message that both share")
        #expect(try client.messages("g").count == 2)
    }

    @Test func `refuses a taken ID and a message of another session`() throws {
        let client = try talked()
        try client.open("other")
        _ = try client.prompt("other", "x")
        let foreign = try client.ids("other")[0]
        #expect(
            try client.call("_convod/session/fork", #"{"sessionId":"s","newSessionId":"other"}"#).kind
                == "conflict")
        #expect(
            try client.call("_convod/session/fork", #"{"sessionId":"s","messageId":"\#(foreign)"}"#).kind
                == "not_found")
    }
}

@Suite struct `A prompt answered anew` {
    @Test func `keeps the old answer on its branch, and one can switch back`() throws {
        let client = try talked()
        let before = try client.messages("s"), ids = try client.ids("s")
        let answer = try client.call("_convod/turn/retry", #"{"sessionId":"s"}"#)
        #expect(answer.result?["stopReason"]?.string == "end_turn")
        let moved = answer.updates.compactMap { $0["params"]?["update"]?["_meta"]?["convod"]?["branch"]?.int }
        #expect(moved == [2], "everyone is told that another path is active")
        #expect(try client.messages("s") == before, "the echo says the same again")
        #expect(try client.ids("s")[3] != ids[3])
        #expect(try client.branches("s") == ["1 0 4", "2* 3 1"])
        let page = try client.call("_convod/branch/list", #"{"sessionId":"s","limit":1}"#).result
        let cursor = try #require(page?["nextCursor"]?.string)
        #expect(page?["branches"]?.elements.map { $0["branch"]?.int } == [1])
        let rest = try client.call("_convod/branch/list", #"{"sessionId":"s","cursor":"\#(cursor)"}"#).result
        #expect(rest?["branches"]?.elements.map { $0["branch"]?.int } == [2] && rest?["nextCursor"] == nil)
        let back = try client.call("_convod/branch/switch", #"{"sessionId":"s","branch":1}"#).result
        #expect(back?["headId"]?.string == ids[3] && back?["messageCount"]?.int == 4)
        #expect(try client.ids("s") == ids)
        let old = try client.call("_convod/branch/compare", #"{"sessionId":"s","branch":2}"#).result
        #expect(old?["commonMessages"]?.int == 3)
    }

    @Test func `can be taken back, and what was said since stays on a branch`() throws {
        let client = try talked()
        let ids = try client.ids("s")
        let back = try client.call(
            "_convod/branch/rewind", #"{"sessionId":"s","before":"\#(ids[2])"}"#
        ).result
        #expect(back?["headId"]?.string == ids[1] && back?["messageCount"]?.int == 2)
        #expect(try client.ids("s") == Array(ids[..<2]))
        #expect(try client.prompt("s", "instead").text().contains("Message 3 of this session"))
        let all = try client.ids("s")[0]
        let empty = try client.call(
            "_convod/branch/rewind", #"{"sessionId":"s","before":"\#(all)"}"#
        ).result
        #expect(empty?["messageCount"]?.int == 0 && empty?["headId"] == nil)
        #expect(try client.prompt("s", "anew").text().contains("Message 1 of this session"))
        #expect(
            try client.call("_convod/branch/rewind", #"{"sessionId":"s","before":"\#(ids[3])"}"#).kind
                == "not_found")
        #expect(try client.call("_convod/branch/rewind", #"{"sessionId":"s"}"#).kind == "invalid_params")
        _ = try client.call("_convod/branch/switch", #"{"sessionId":"s","branch":1}"#)
        #expect(try client.ids("s") == ids)
    }

    @Test func `may have other words, and what stood behind the old ones stays beside`() throws {
        let client = try talked()
        let ids = try client.ids("s")
        let answer = try client.call(
            "_convod/turn/retry",
            #"{"sessionId":"s","messageId":"\#(ids[0])","prompt":[{"type":"text","text":"uno"}]}"#)
        #expect(answer.text() == "Message 1 of this session; you said: uno")
        #expect(try client.messages("s").count == 2)
        #expect(try client.branches("s") == ["1 0 4", "2* 0 2"])
    }

    @Test func `goes back to the branch that it left when nothing comes of it`() throws {
        let bench = try Bench([[ScriptedUpstream.answer(["fine"]), down]], more: "retry: { attempts: 1 }")
        _ = try bench.ask("s")
        let before = try bench.client.ids("s")
        #expect(
            try bench.client.call("_convod/turn/retry", #"{"sessionId":"s"}"#).kind == "upstream_unavailable")
        #expect(try bench.client.ids("s") == before)
        let edit = #"{"sessionId":"s","prompt":[{"type":"text","text":"other"}]}"#
        #expect(try bench.client.call("_convod/turn/retry", edit).kind == "upstream_unavailable")
        #expect(try bench.client.ids("s") == before)
    }

    @Test func `is refused while a turn runs, and where there is no prompt`() throws {
        let client = try talked()
        try client.open("empty")
        #expect(try client.call("_convod/turn/retry", #"{"sessionId":"empty"}"#).kind == "conflict")
        let running = try client.startPrompt("s", "count to 100")
        #expect(try client.call("_convod/turn/retry", #"{"sessionId":"s"}"#).kind == "busy")
        #expect(try client.call("_convod/branch/switch", #"{"sessionId":"s","branch":1}"#).kind == "busy")
        try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#)
        _ = try client.finish(running)
    }
}

@Suite struct `An edited message` {
    @Test func `stands on a branch of its own, without an answer`() throws {
        let client = try talked()
        let ids = try client.ids("s")
        let edited = try client.call(
            "_convod/message/set",
            #"{"sessionId":"s","messageId":"\#(ids[1])","content":[{"type":"text","text":"better"}]}"#)
        #expect(edited.result?["messageCount"]?.int == 2)
        #expect(try client.messages("s") == ["user: one", "assistant: better"])
        let off = try client.call(
            "_convod/message/set",
            #"{"sessionId":"s","messageId":"\#(ids[3])","content":[{"type":"text","text":"x"}]}"#)
        #expect(off.kind == "conflict", "it is not on the active path any more")
        let wrong = try client.call(
            "_convod/message/set",
            #"{"sessionId":"s","messageId":"\#(ids[0])","content":[{"type":"tool_result","toolCallId":"x","content":"y"}]}"#
        )
        #expect(wrong.kind == "invalid_params", "a user's message holds no tool result")
    }
}

@Suite struct `A branch that is not active` {
    private func list(_ client: TestClient, _ members: String) throws -> (texts: [String], cursor: String?) {
        let page = try client.call("_convod/message/list", #"{"sessionId":"s",\#(members)}"#)
        let result = try #require(page.result, "\(String(decoding: page.message.raw, as: UTF8.self))")
        return (
            result["messages"]?.elements.map { message in
                // An answer repeats its question behind other words.
                let text = message["content"]?.elements.compactMap { $0["text"]?.string }.joined() ?? ""
                let said = text.split(separator: "said: ").last?.split(separator: "\n").first
                return said.map { "\(message["role"]?.string ?? "") \($0)" } ?? ""
            } ?? [], result["nextCursor"]?.string
        )
    }

    @Test func `is listed as it is, page by page, from any message, upwards and downwards`() throws {
        let client = try talked()
        let ids = try client.ids("s")
        _ = try client.call(
            "_convod/turn/retry",
            #"{"sessionId":"s","messageId":"\#(ids[2])","prompt":[{"type":"text","text":"three"}]}"#)
        let new = try client.ids("s")
        let old = ["user one", "assistant one", "user two", "assistant two"]
        #expect(
            try list(client, #""limit":100"#).texts == [
                "user one", "assistant one", "user three", "assistant three",
            ])
        #expect(try list(client, #""branch":1"#).texts == old)
        #expect(try list(client, #""branch":1,"order":"desc""#).texts == old.reversed())
        #expect(try list(client, #""branch":1,"last":2"#).texts == old.suffix(2))
        #expect(try list(client, #""branch":1,"at":3"#).texts == old.suffix(2))
        #expect(try list(client, #""branch":1,"at":"\#(ids[3])""#).texts == old.suffix(1))
        let first = try list(client, #""branch":1,"limit":3"#)
        let rest = try list(client, #""branch":1,"cursor":"\#(first.cursor ?? "")""#)
        #expect(first.texts + rest.texts == old && rest.cursor == nil)
        #expect(try list(client, #""branch":2"#).texts.last == "assistant three")
        let wrong = try client.call("_convod/message/list", #"{"sessionId":"s","at":"\#(ids[2])"}"#)
        #expect(
            wrong.kind == "not_found"
                && wrong.message["error"]?["message"]?.string?.contains("'branch': 1") == true)
        #expect(
            try client.call("_convod/message/list", #"{"sessionId":"s","branch":1,"at":"\#(new[2])"}"#)
                .message[
                    "error"]?["message"]?.string?.contains("'branch': 2") == true)
        for branch in ["9", "4294967295"] {
            #expect(
                try client.call("_convod/message/list", #"{"sessionId":"s","branch":\#(branch)}"#).kind
                    == "not_found")
        }
        #expect(
            try client.call("_convod/message/list", #"{"sessionId":"s","branch":0}"#).kind == "invalid_params"
        )
    }

    @Test func `of another session is none of this one`() throws {
        let client = try talked()
        try client.open("other")
        _ = try client.prompt("other", "x")
        #expect(
            try client.call("_convod/message/list", #"{"sessionId":"other","branch":1}"#).kind == "not_found")
    }
}

@Suite struct `A branch` {
    @Test func `can be deleted when it is not active and nothing begins in it`() throws {
        let client = try talked()
        _ = try client.call("_convod/turn/retry", #"{"sessionId":"s"}"#)
        func delete(_ branch: Int) throws -> TestClient.Answer {
            try client.call("_convod/branch/delete", #"{"sessionId":"s","branch":\#(branch)}"#)
        }
        #expect(try delete(2).kind == "conflict", "it is the active one")
        #expect(try delete(1).kind == "conflict", "the other one begins in it")
        _ = try client.call("_convod/branch/switch", #"{"sessionId":"s","branch":1}"#)
        #expect(try delete(2).result?["deletedMessages"]?.int == 1)
        #expect(try delete(2).kind == "not_found" && delete(99).kind == "not_found")
        #expect(try client.branches("s") == ["1* 0 4"])
    }
}

@Suite struct `A cut answer` {
    @Test func `is gone on with, in a message of its own, and the model is asked to go on`() throws {
        let cut = [
            ScriptedUpstream.Step.write(
                ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"half"}"#))
        ]
        let bench = try Bench([[cut, ScriptedUpstream.answer([" and half"])]])
        #expect(try bench.ask("s").kind == "interrupted")
        let more = try bench.client.call("_convod/turn/continue", #"{"sessionId":"s"}"#)
        #expect(more.text() == " and half")
        #expect(
            bench.servers[0].requests[1].contains(
                #"{"role":"assistant","content":"half"},{"role":"user","content":"Continue exactly where you stopped."}"#
            ))
        #expect(
            try bench.client.messages("s") == [
                "user: hello", "assistant: half [interrupted]", "assistant:  and half",
            ])
        #expect(try bench.client.call("_convod/turn/continue", #"{"sessionId":"s"}"#).kind == "conflict")
    }

    @Test func `at the limit of tokens is gone on with too`() throws {
        let bench = try Bench([
            [
                ScriptedUpstream.answer(["long"], finish: "length"), ScriptedUpstream.answer(["er"]),
            ]
        ])
        #expect(try bench.ask("s").result?["stopReason"]?.string == "max_tokens")
        #expect(try bench.client.call("_convod/turn/continue", #"{"sessionId":"s"}"#).text() == "er")
    }
}

extension `A fork` {
    @Test func `a restart and an import leave a tool's call in front of its result (N020)`() throws {
        let directory = try TemporaryDirectory()
        let messages = [
            #"{"role":"user","content":[{"type":"text","text":"weather?"}]}"#,
            #"{"role":"assistant","content":[{"type":"tool_call","id":"c1","name":"weather","arguments":{"q":1}}]}"#,
            #"{"role":"tool","content":[{"type":"tool_result","toolCallId":"c1","content":"18C"}]}"#,
            #"{"role":"assistant","content":[{"type":"text","text":"mild"}]}"#,
        ].joined(separator: ",")
        do {
            let daemon = try TestDaemon(in: directory), client = try daemon.client()
            try client.open("s")
            let answer = try client.call(
                "_convod/message/append", #"{"sessionId":"s","messages":[\#(messages)]}"#)
            #expect(answer.error == nil)
            daemon.stop()
        }
        let daemon = try TestDaemon(in: directory), client = try daemon.client()
        #expect(
            try client.call("_convod/session/fork", #"{"sessionId":"s","newSessionId":"f"}"#).error == nil)
        let other = try TestDaemon(), reader = try other.client()
        let records = try client.call("_convod/export", #"{"sessionId":"s"}"#).updates
            .filter { $0["method"]?.string == "_convod/export/item" }
            .compactMap { $0["params"]?["record"] }.filter { $0["type"]?.string != "end" }
            .map { text($0.raw) }.joined(separator: ",")
        #expect(try reader.call("_convod/import", #"{"records":[\#(records)],"end":true}"#).error == nil)
        for (client, session) in [(client, "s"), (client, "f"), (reader, "s")] {
            for (dialect, order) in [
                ("openai", ["weather?", "\"tool_calls\"", "\"tool_call_id\":\"c1\"", "mild", "and now?"]),
                ("anthropic", ["weather?", "\"tool_use\"", "\"tool_use_id\":\"c1\"", "mild", "and now?"]),
            ] {
                let built = try client.call(
                    "_convod/context/build",
                    #"{"sessionId":"\#(session)","dialect":"\#(dialect)","prompt":[{"type":"text","text":"and now?"}]}"#
                ).result
                var rest = text(built?["messages"]?.raw ?? [])[...]
                for part in order {
                    let found = try #require(rest.firstRange(of: part), "\(session) \(dialect) \(part)")
                    rest = rest[found.upperBound...]
                }
            }
        }
    }
}
