internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `Sessions that are read in` {
    private func records(_ name: String, _ number: Int) -> String {
        let message = "01890a5d-ac96-774b-bcce-00000000000\(number)",
            answer = "01890a5d-ac96-774b-bcce-10000000000\(number)"
        let turn = "01890a5d-ac96-774b-bcce-20000000000\(number)"
        return
            #"{"type":"session","version":1,"harness":"convo","id":"\#(name)","cwd":"/","createdAt":"2026-11-25T06:00:00.000Z","tags":[],"mcpServers":[],"head":"\#(answer)"},"#
            + #"{"type":"message","id":"\#(message)","parentId":null,"message":{"role":"user","content":"q","timestamp":1},"status":"complete","turnId":"\#(turn)"},"#
            + #"{"type":"message","id":"\#(answer)","parentId":"\#(message)","message":{"role":"assistant","content":"a","timestamp":1},"status":"complete","turnId":"\#(turn)"}"#
    }

    private func turn(_ number: Int) -> String {
        #"{"type":"turn","id":"01890a5d-ac96-774b-bcce-20000000000\#(number)","state":"complete","promptId":"01890a5d-ac96-774b-bcce-00000000000\#(number)","messageId":"01890a5d-ac96-774b-bcce-10000000000\#(number)","options":{},"createdAt":"2026-11-25T06:00:00.000Z","endedAt":"2026-11-25T06:00:01.000Z"}"#
    }

    @Test func `at the same time do not meet (B167, B176, N026)`() throws {
        let daemon = try TestDaemon(), client = try daemon.client(), other = try daemon.client()
        let a =
            try client.call("_convod/import", #"{"records":[\#(records("a", 1))]}"#).result?["importId"]?
            .string ?? ""
        let b =
            try other.call("_convod/import", #"{"records":[\#(records("b", 2))]}"#).result?["importId"]?
            .string ?? ""
        #expect(try client.call("_convod/session/get", #"{"sessionId":"a"}"#).kind == "not_found")
        #expect(
            try other.call("_convod/import", #"{"importId":"\#(a)","records":[]}"#).kind == "not_found",
            "another client's")
        let one = try client.call(
            "_convod/import", #"{"importId":"\#(a)","records":[\#(turn(1))],"end":true}"#)
        let two = try other.call(
            "_convod/import", #"{"importId":"\#(b)","records":[\#(turn(2))],"end":true}"#)
        #expect(one.result?["turns"]?.int == 1 && two.result?["turns"]?.int == 1, "\(two.message.raw)")
        for name in ["a", "b"] {
            let turns = try client.call("_convod/turn/list", #"{"sessionId":"\#(name)"}"#).result?["turns"]
            #expect(turns?.count == 1)
            #expect(try client.prompt(name, "on").result?["stopReason"]?.string == "end_turn")
        }
        #expect(
            try client.call("_convod/usage", "{}").result?["total"]?["prompts"]?.int == 2,
            "history is not counted")
    }

    @Test func `and given up are gone with the daemon (B167)`() throws {
        let directory = try TemporaryDirectory()
        do {
            let daemon = try TestDaemon(in: directory), client = try daemon.client()
            _ = try client.call("_convod/import", #"{"records":[\#(records("a", 1))]}"#)
            daemon.stop()
        }
        let daemon = try TestDaemon(in: directory), client = try daemon.client()
        let again = try client.call(
            "_convod/import", #"{"records":[\#(records("a", 1)),\#(turn(1))],"end":true}"#)
        #expect(
            again.result?["messages"]?.int == 2 && again.result?["sessionId"]?.string == "a",
            "\(again.message.raw)")
    }

    @Test(arguments: [
        (#"{"type":"message"}"#, "'message' must be an object"),
        (#"{"type":"session","id":"b"}"#, "a session ends with 'end'"),
        (
            #"{"type":"branch_message","id":"01890a5d-ac96-774b-bcce-300000000001","parentId":"01890a5d-ac96-774b-bcce-400000000001","message":{"role":"user","content":"q","timestamp":1},"status":"complete"}"#,
            "did not come before it"
        ),
        (
            #"{"type":"summary","id":"01890a5d-ac96-774b-bcce-300000000001","firstSeq":1,"lastSeq":2,"messageId":"01890a5d-ac96-774b-bcce-400000000001","madeAt":2,"createdAt":"2026-11-25T06:00:00.000Z"}"#,
            "did not come before it"
        ),
        (
            #"{"type":"message","id":"01890a5d-ac96-774b-bcce-300000000001","parentId":"01890a5d-ac96-774b-bcce-100000000001","message":{"role":"user","content":"q","timestamp":9223372036854775807},"status":"complete"}"#,
            "'message.timestamp' must be a time"
        ),
        (
            #"{"type":"summary","id":"01890a5d-ac96-774b-bcce-300000000001","firstSeq":4611686018427387904,"lastSeq":2,"messageId":"01890a5d-ac96-774b-bcce-100000000001","madeAt":2,"createdAt":"2026-11-25T06:00:00.000Z"}"#,
            "'firstSeq' must be a number from 1 to"
        ),
    ])
    func `are refused with the record that cannot be`(record: String, why: String) throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        let answer = try client.call(
            "_convod/import", #"{"records":[\#(records("a", 1)),\#(record)],"end":true}"#)
        #expect(
            answer.kind == "invalid_params" && text(answer.message.raw).contains(why),
            "\(text(answer.message.raw))")
        #expect(try client.call("_convod/session/get", #"{"sessionId":"a"}"#).kind == "not_found")
    }
}

extension `Sessions that are read in` {
    /// As `session/set` refuses the same; a cost beyond all numbers ended the daemon at the next prompt.
    @Test(arguments: [
        (#""quota":{"cost":1e308}"#, "'quota.cost' must be"), (#""model":"a\nb""#, "'model'"),
        (#""cwd":"../../etc""#, "'cwd' must be"),
        (#""tags":[""]"#, "'tags' may hold"), (#""window":{"maxTokens":-1}"#, "maxTokens"),
        (#""metadata":"words""#, "'metadata' must be"),
    ])
    func `have nothing that one may not have which is changed`(member: String, why: String) throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        let session =
            #"{"type":"session","version":1,"id":"a","createdAt":"2026-11-25T06:00:00.000Z",\#(member)}"#
        let answer = try client.call("_convod/import", #"{"records":[\#(session)],"end":true}"#)
        let said = text(answer.message.raw)
        #expect(
            answer.kind == "invalid_params" && said.contains("record 1: ") && said.contains(why), "\(said)")
        #expect(try client.call("_convod/session/get", #"{"sessionId":"a"}"#).kind == "not_found")
    }

    @Test func `with a title of an older version, and times that others write, are read in`() throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        let title = String(repeating: "👩‍👩‍👧‍👦", count: 60)
        let session =
            #"{"type":"session","version":1,"id":"a","cwd":"/","createdAt":"2026-11-25T06:00:00.000Z","name":"\#(title)"}"#
        let message =
            #"{"type":"message","id":"01890a5d-ac96-774b-bcce-300000000001","parentId":null,"message":{"role":"user","content":"q","timestamp":"now"},"status":"complete"}"#
        let read = try client.call("_convod/import", #"{"records":[\#(session),\#(message)],"end":true}"#)
        #expect(read.result?["messages"]?.int == 1, "\(text(read.message.raw))")
        let found =
            try client.call("_convod/session/get", #"{"sessionId":"a"}"#).result?["title"]?.string ?? ""
        #expect(found.utf8.count > 900 && found.utf8.count <= 1_024 && title.hasPrefix(found))
    }

    @Test func `with a turn that names a message of another session say nothing of that`() throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        try client.open("other")
        _ = try client.prompt("other", "the words of somebody else")
        let page = try client.call("_convod/message/list", #"{"sessionId":"other"}"#).result
        let theirs = page?["messages"]?.elements.first { _ in true }?["id"]?.string ?? ""
        for (name, prompt) in [("known", theirs), ("unknown", "01890a5d-ac96-774b-bcce-500000000001")] {
            let session =
                #"{"type":"session","version":1,"id":"\#(name)","cwd":"/","createdAt":"2026-11-25T06:00:00.000Z"}"#
            let turn =
                #"{"type":"turn","id":"01890a5d-ac96-774b-bcce-60000000000\#(name.count)","state":"failed","promptId":"\#(prompt)","messageId":"01890a5d-ac96-774b-bcce-700000000001","options":{},"error":{"kind":"x","message":"x"},"createdAt":"2026-11-25T06:00:00.000Z"}"#
            let read = try client.call("_convod/import", #"{"records":[\#(session),\#(turn)],"end":true}"#)
            #expect(read.result?["turns"]?.int == 1, "\(text(read.message.raw))")
            let again = try client.call("_convod/turn/retry", #"{"sessionId":"\#(name)"}"#)
            #expect(again.kind == "conflict", "\(name): \(text(again.message.raw))")
        }
    }

    @Test func `are one thread where the system speaks in the middle of it (B161)`() throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        let roles = ["user", "assistant", "system", "user", "assistant"]
        func id(_ number: Int) -> String { "01890a5d-ac96-774b-bcce-00000000000\(number)" }
        var records = [
            #"{"type":"session","version":1,"harness":"convo","id":"s","cwd":"/","createdAt":"2026-11-25T06:00:00.000Z","tags":[],"mcpServers":[],"head":"\#(id(5))"}"#
        ]
        for (index, role) in roles.enumerated() {
            let parent = index == 0 ? "null" : "\"\(id(index))\""
            records.append(
                #"{"type":"message","id":"\#(id(index + 1))","parentId":\#(parent),"message":{"role":"\#(role)","content":"word \#(index + 1)","timestamp":1},"status":"complete"}"#
            )
        }
        let read = try client.call(
            "_convod/import", #"{"records":[\#(records.joined(separator: ","))],"end":true}"#)
        #expect(read.result?["messages"]?.int == 5, "\(text(read.message.raw))")
        #expect(
            try client.messages("s") == [
                "user: word 1", "assistant: word 2", "system: word 3", "user: word 4", "assistant: word 5",
            ])
        let branches = try client.call("_convod/branch/list", #"{"sessionId":"s"}"#).result
        #expect(branches?["branches"]?.count == 1)
        let built = try client.call("_convod/context/build", #"{"sessionId":"s","dialect":"openai"}"#).result
        let sent = text(built?.raw ?? [])
        for number in 1...5 { #expect(sent.contains("word \(number)")) }
    }
}

extension `Sessions that are read in` {
    @Test func `by a client that left halfway are seen by nobody and hold up nobody (B167)`() throws {
        let daemon = try TestDaemon(), other = try daemon.client()
        do {
            let client = try daemon.client()
            let begun = try client.call("_convod/import", #"{"records":[\#(records("a", 1))]}"#)
            #expect(begun.result?["importId"] != nil)
        }
        #expect(try other.call("_convod/session/get", #"{"sessionId":"a"}"#).kind == "not_found")
        #expect(try other.call("_convod/session/find").result?["sessions"]?.count == 0)
        try other.open("b")
        #expect(try other.prompt("b", "on").result?["stopReason"]?.string == "end_turn")
        let again = try other.call(
            "_convod/import", #"{"records":[\#(records("a", 1)),\#(turn(1))],"end":true}"#)
        #expect(
            again.result?["messages"]?.int == 2 && again.result?["sessionId"]?.string == "a",
            "\(text(again.message.raw))")
        #expect(try other.messages("a") == ["user: q", "assistant: a"])
    }
}

extension `Sessions that are read in` {
    @Test func `keep a NUL, and words that only spell its escape (B176)`() throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        func id(_ number: Int) -> String { "01890a5d-ac96-774b-bcce-00000000000\(number)" }
        let contents = [#""a\u0000b\u0000""#, #""\\u0000 is written out""#, #""\\\u0000\\""#]
        var records = [
            #"{"type":"session","version":1,"harness":"convo","id":"s","cwd":"/","createdAt":"2026-11-25T06:00:00.000Z","tags":[],"mcpServers":[],"head":"\#(id(3))"}"#
        ]
        for (index, content) in contents.enumerated() {
            let parent = index == 0 ? "null" : "\"\(id(index))\""
            records.append(
                #"{"type":"message","id":"\#(id(index + 1))","parentId":\#(parent),"message":{"role":"user","content":\#(content),"timestamp":1},"status":"complete"}"#
            )
        }
        let read = try client.call(
            "_convod/import", #"{"records":[\#(records.joined(separator: ","))],"end":true}"#)
        #expect(read.result?["messages"]?.int == 3, "\(text(read.message.raw))")
        #expect(
            try client.messages("s") == [
                "user: a\u{0}b\u{0}", "user: \\u0000 is written out", "user: \\\u{0}\\",
            ])
        let answer = try client.call("_convod/export", #"{"sessionId":"s"}"#)
        let said = answer.updates.compactMap { $0["params"]?["record"]?["message"]?["content"] }
        #expect(said.map { text($0.raw) } == contents)
    }
}

extension `Sessions that are read in` {
    @Test(arguments: [true, false])
    func `that hold the same messages are two whole sessions in either order, and count in no usage (N026)`(
        isShortFirst: Bool
    ) throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        let more =
            #"{"type":"message","id":"01890a5d-ac96-774b-bcce-000000000009","parentId":"01890a5d-ac96-774b-bcce-100000000001","message":{"role":"user","content":"more","timestamp":2},"status":"complete"}"#
        // The second file is the first one under another session's ID, and goes on.
        let short = records("short", 1)
        let long =
            records("long", 1).replacing(
                #""head":"01890a5d-ac96-774b-bcce-100000000001""#,
                with: #""head":"01890a5d-ac96-774b-bcce-000000000009""#) + "," + more
        for lines in isShortFirst ? [short, long] : [long, short] {
            let read = try client.call("_convod/import", #"{"records":[\#(lines)],"end":true}"#)
            #expect(read.error == nil, "\(text(read.message.raw))")
        }
        #expect(try client.messages("short") == ["user: q", "assistant: a"])
        #expect(try client.messages("long") == ["user: q", "assistant: a", "user: more"])
        let used = try client.call("_convod/usage", "{}").result
        #expect(
            used?["total"]?["prompts"]?.int ?? 0 == 0, "history is not counted, however often it is read in")
    }
}
