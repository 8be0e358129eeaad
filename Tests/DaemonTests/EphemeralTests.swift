internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `An ephemeral session` {
    private func daemon() throws -> (TestDaemon, TestClient) {
        let daemon = try TestDaemon()
        return (daemon, try daemon.client())
    }

    @Test func `talks like any other, is marked in lists, and nothing of it is in the database`() throws {
        let (daemon, client) = try daemon()
        try client.open("kept")
        _ = try client.prompt("kept", "kept words")
        try client.open("hush-hush", #""ephemeral":true,"title":"hidden title""#)
        _ = try client.prompt("hush-hush", "whispered words")
        _ = try client.call("_convod/turn/retry", #"{"sessionId":"hush-hush"}"#)
        #expect(try client.messages("hush-hush").count == 2)
        let found = try client.call("_convod/session/find", "{}").result?["sessions"]
        let marks = found?.elements.map {
            "\($0["sessionId"]?.string ?? "") \($0["ephemeral"]?.bool ?? false)"
        }
        #expect(marks == ["kept false", "hush-hush true"])
        let listed = try client.call("session/list", "{}").result?["sessions"]?.elements.compactMap {
            $0["sessionId"]?.string
        }
        #expect(listed == ["kept", "hush-hush"])
        let first = try client.call("_convod/session/find", #"{"limit":1}"#).result
        let cursor = first?["nextCursor"]?.string ?? ""
        let second = try client.call("_convod/session/find", #"{"limit":1,"cursor":"\#(cursor)"}"#).result
        let pages = [first, second].map { page in
            page?["sessions"]?.elements.compactMap { $0["sessionId"]?.string } ?? []
        }
        #expect(pages == [["kept"], ["hush-hush"]])
        let disk = try shell("sh", "-c", "cat \(daemon.database)* | strings")
        #expect(disk.contains("kept words"))
        for words in ["whispered", "hidden title", "hush-hush"] { #expect(!disk.contains(words)) }
    }

    @Test func `shares its ID with none that comes back, is forked, or is made in the same moment`() throws {
        let (daemon, client) = try daemon()
        defer { withExtendedLifetime(daemon) {} }
        try client.open("back")
        _ = try client.prompt("back", "hello")
        _ = try client.call("session/delete", #"{"sessionId":"back"}"#)
        // What is in the trash has its ID still, whichever store it lives in.
        #expect(try client.open("back", #""ephemeral":true"#).kind == "conflict")
        #expect(try client.call("_convod/session/restore", #"{"sessionId":"back"}"#).result != nil)
        try client.open("kept")
        _ = try client.prompt("kept", "hello")
        try client.open("memory", #""ephemeral":true"#)
        _ = try client.prompt("memory", "hello")
        for (from, to) in [("kept", "memory"), ("memory", "kept")] {
            let fork = try client.call(
                "_convod/session/fork", #"{"sessionId":"\#(from)","newSessionId":"\#(to)"}"#)
            #expect(fork.kind == "conflict", "\(fork.message)")
        }
        _ = try client.call("session/delete", #"{"sessionId":"memory"}"#)
        #expect(try client.open("memory").kind == "conflict")
        #expect(try client.call("_convod/session/restore", #"{"sessionId":"memory"}"#).result != nil)
        #expect(try client.messages("memory").count == 2)
        let made = (0..<2).map { number in
            let extras = number == 0 ? "" : #","ephemeral":true"#
            return
                #"{"jsonrpc":"2.0","id":"n\#(number)","method":"session/new","params":{"cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"both"\#(extras)}}}}"#
        }
        try client.send(Array((made.joined(separator: "\n") + "\n").utf8))
        let answers = [try client.next(), try client.next()]
        #expect(answers.count { $0["result"] != nil } == 1, "\(answers.map(\.raw.count))")
    }

    @Test func `takes no more memory than all together may have, and says what to do`() throws {
        let daemon = try TestDaemon(
            "{ upstreams: { echo: { kind: 'echo' } }, limits: { ephemeral: '4MiB' } }")
        let client = try daemon.client()
        try client.open("e", #""ephemeral":true"#)
        try client.open("s")
        let words = String(repeating: "word ", count: 40_000)
        func append(_ session: String) throws -> TestClient.Answer {
            try client.call(
                "_convod/message/append",
                #"{"sessionId":"\#(session)","messages":[{"role":"user","content":[{"type":"text","text":"\#(words)"}]}]}"#
            )
        }
        var stored = 0, refused: TestClient.Answer?
        while refused == nil, stored < 100 {
            let answer = try append("e")
            if answer.error == nil { stored += 1 } else { refused = answer }
        }
        #expect(refused?.kind == "disk_full" && (5..<40).contains(stored), "\(stored)")
        #expect(refused?.error?["message"]?.string?.contains("'limits.ephemeral'") == true)
        #expect(try client.messages("e").count == stored, "what is there can be read")
        #expect(try append("s").error == nil, "the disk has its own room")
        #expect(try client.call("session/delete", #"{"sessionId":"e"}"#).error == nil)
    }

    @Test func `has an ID that no other session has`() throws {
        let (daemon, client) = try daemon()
        try client.open("a", #""ephemeral":true"#)
        try client.open("b")
        #expect(try client.open("a").kind == "conflict")
        #expect(try client.open("b", #""ephemeral":true"#).kind == "conflict")
        let again = try client.open("a", #""ephemeral":true,"ifExists":"resume""#)
        #expect(again.result?["_meta"]?["convod"]?["created"]?.bool == false)
        daemon.stop()
    }

    @Test func `can be read, exported, forked, changed, deleted and restored`() throws {
        let (daemon, client) = try daemon()
        try client.open("a", #""ephemeral":true"#)
        let turn = try client.prompt("a", "hello").extras?["turnId"]?.string ?? ""
        #expect(try client.call("_convod/turn/get", #"{"turnId":"\#(turn)"}"#).result != nil)
        #expect(
            try client.call("_convod/export", #"{"sessionId":"a","format":"jsonl"}"#).result?["count"]?.int
                == 5)
        _ = try client.call("_convod/session/fork", #"{"sessionId":"a","newSessionId":"f"}"#)
        let fork = try client.call("_convod/session/get", #"{"sessionId":"f"}"#).result
        #expect(fork?["ephemeral"]?.bool == true && fork?["messageCount"]?.int == 2)
        _ = try client.call("_convod/session/set", #"{"sessionId":"a","title":"new"}"#)
        let append =
            #"{"sessionId":"a","messages":[{"role":"user","content":[{"type":"text","text":"more"}]}]}"#
        #expect(try client.call("_convod/message/append", append).result?["lastSeq"]?.int == 3)
        let loaded = try client.call("session/load", #"{"sessionId":"a","cwd":"/tmp","mcpServers":[]}"#)
        #expect(loaded.text("user_message_chunk") == "hellomore")
        _ = try client.call("session/delete", #"{"sessionId":"a"}"#)
        #expect(try client.call("_convod/session/get", #"{"sessionId":"a"}"#).kind == "not_found")
        _ = try client.call("_convod/session/restore", #"{"sessionId":"a"}"#)
        #expect(
            try client.call("_convod/session/get", #"{"sessionId":"a"}"#).result?["title"]?.string == "new")
        daemon.stop()
    }
}
