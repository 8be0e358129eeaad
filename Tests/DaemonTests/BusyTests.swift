internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A second prompt on a busy session` {
    private func busy(_ words: String = "count to 100") throws -> (TestClient, Int) {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        try client.open("s")
        let running = try client.startPrompt("s", words)
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        return (client, running)
    }

    @Test func `is queued and answered behind the first, by default`() throws {
        let (client, running) = try busy("count to 10")
        let second = try client.startPrompt("s", "second")
        #expect(try client.finish(running).result?["stopReason"]?.string == "end_turn")
        #expect(try client.finish(second).result?["stopReason"]?.string == "end_turn")
        #expect(
            try client.messages("s").map { $0.prefix(9) } == [
                "user: cou", "assistant", "user: sec", "assistant",
            ])
    }

    @Test(arguments: ["cancelled", "deleted"])
    func `that waited and never began keeps its words in its turn (B067)`(_ how: String) throws {
        let (client, running) = try busy("count to 50")
        let waiting = try client.startPrompt("s", "words to keep")
        let update = try client.update { $0.extras?["state"]?.string == "queued" }
        let turn = update.extras?["turnId"]?.string ?? ""
        if how == "cancelled" { _ = try client.start("_convod/turn/cancel", #"{"turnId":"\#(turn)"}"#) }
        if how == "deleted" { _ = try client.start("session/delete", #"{"sessionId":"s"}"#) }
        #expect(try client.finish(waiting).result?["stopReason"]?.string == "cancelled")
        if how == "cancelled" { _ = try client.finish(running) }
        // Behind the deletion, since it changes the same.
        if how == "deleted" { try client.call("_convod/session/restore", #"{"sessionId":"s"}"#) }
        for method in ["_convod/turn/get", "_convod/turn/list"] {
            let params = method.hasSuffix("get") ? #"{"turnId":"\#(turn)"}"# : #"{"sessionId":"s"}"#
            let told = try client.call(method, params).result
            let words = told.map { text($0.raw) } ?? ""
            #expect(words.contains("words to keep"), "\(method): \(words)")
        }
        #expect(try !client.messages("s").contains("user: words to keep"))
    }

    @Test func `is refused at once where that is asked, and nothing is stored`() throws {
        let (client, running) = try busy("count to 20")
        let second = try client.prompt("s", "second", #""ifBusy":"reject""#)
        #expect(second.kind == "busy")
        #expect(second.message["error"]?["data"]?["retryable"]?.bool == true)
        _ = try client.finish(running)
        #expect(try client.messages("s").count == 2)
        #expect(try client.prompt("s", "third", #""ifBusy":"reject""#).result != nil)
    }

    @Test
    func
        `interrupts the first where that is asked, whose answer is kept, and goes before those that wait (N014)`()
        throws
    {
        let (client, running) = try busy()
        let waiting = try client.startPrompt("s", "waiting")
        _ = try client.update { $0.extras?["state"]?.string == "queued" }
        let second = try client.startPrompt("s", "now", #""ifBusy":"interrupt""#)
        var ends: [Int] = []
        while ends.count < 3 {
            let message = try client.next()
            if message["method"] == nil, let id = message["id"]?.int {
                ends.append(id)
                let stop = message["result"]?["stopReason"]?.string
                #expect(stop == (id == running ? "cancelled" : "end_turn"))
            }
        }
        #expect(ends == [running, second, waiting])
        let messages = try client.messages("s")
        #expect(messages[1].hasSuffix("[cancelled]"))
        #expect([messages[2], messages[4]] == ["user: now", "user: waiting"])
    }

    @Test func `interrupts nothing where it was cancelled in the same moment`() throws {
        let (client, running) = try busy("count to 100")
        let prompt =
            #"{"jsonrpc":"2.0","id":"now","method":"session/prompt","params":{"sessionId":"s","prompt":[{"type":"text","text":"now"}],"_meta":{"convod":{"ifBusy":"interrupt"}}}}"#
        let cancel = #"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":"now"}}"#
        try client.send(Array("\(prompt)\n\(cancel)\n".utf8))
        #expect(try client.finish(running).result?["stopReason"]?.string == "end_turn")
        #expect(try client.messages("s").count == 2)
    }

    @Test func `and a third interrupt in the order in which they were sent`() throws {
        let (client, running) = try busy()
        var lines = ""
        for name in ["one", "two", "three"] {
            lines +=
                #"{"jsonrpc":"2.0","id":"\#(name)","method":"session/prompt","params":{"sessionId":"s","prompt":[{"type":"text","text":"\#(name)"}],"_meta":{"convod":{"ifBusy":"interrupt"}}}}"#
                + "\n"
        }
        try client.send(Array(lines.utf8))
        var order: [String] = []
        while order.last != "three" {
            let message = try client.next()
            if message["id"]?.int == running { order.append("count") }
            if let id = message["id"]?.string { order.append(id) }
        }
        #expect(order == ["count", "one", "two", "three"])
        // One that was cut before it said anything is not on the path.
        let prompts = try client.messages("s").filter { $0.hasPrefix("user: ") }
        #expect(prompts.last == "user: three" && prompts.first == "user: count to 100")
    }

    @Test func `can be given other words while it waits`() throws {
        let (client, running) = try busy("count to 30")
        let second = try client.startPrompt("s", "old words", #""requestId":"r""#)
        let queued = try client.update { $0.extras?["state"]?.string == "queued" }
        let turn = queued.extras?["turnId"]?.string ?? ""
        func set(_ words: String) throws -> TestClient.Answer {
            try client.call(
                "_convod/turn/set", #"{"turnId":"\#(turn)","prompt":[{"type":"text","text":"\#(words)"}]}"#)
        }
        #expect(try set("new words").result?["turnId"]?.string == turn)
        _ = try client.finish(running)
        _ = try client.finish(second)
        #expect(try client.messages("s")[2] == "user: new words")
        #expect(try set("too late").kind == "conflict")
        #expect(try client.prompt("s", "new words", #""requestId":"r""#).extras?["repeated"]?.bool == true)
    }
}

@Suite struct `A prompt made on a stale view` {
    @Test func `is a conflict that names the newest message, and nothing is stored`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        let first = try client.prompt("s", "one").extras?["messageId"]?.string ?? ""
        let second = try client.prompt("s", "two", #""expectedHead":"\#(first)""#)
        let head = second.extras?["messageId"]?.string ?? ""
        #expect(second.result != nil)
        let stale = try client.prompt("s", "three", #""expectedHead":"\#(first)""#)
        #expect(stale.kind == "conflict")
        #expect(stale.error?["message"]?.string?.contains(head) == true)
        #expect(try client.messages("s").count == 4)
    }
}

@Suite struct `Watching` {
    @Test func `tells of changes of one's own sessions, in order, and from a cursor what was missed`() throws
    {
        let daemon = try TestDaemon()
        let watcher = try daemon.client(), client = try daemon.client()
        let begin = try watcher.call("_convod/watch").result
        #expect(begin?["live"]?.bool == true && begin?["changes"]?.count == 0)
        try client.open("a")
        try client.open("b")
        let first = try watcher.update { $0["method"]?.string == "_convod/watch/event" }
        let second = try watcher.update { $0["method"]?.string == "_convod/watch/event" }
        let names = [first, second].map { $0["params"]?["session"]?["sessionId"]?.string }
        #expect(names == ["a", "b"])
        let cursor = first["params"]?["cursor"]?.string ?? ""
        _ = try client.call("session/delete", #"{"sessionId":"a"}"#)
        let gone = try watcher.update { $0["params"]?["gone"]?.bool == true }
        #expect(gone["params"]?["session"]?["sessionId"]?.string == "a")
        let late = try daemon.client()
        let missed = try late.call("_convod/watch", #"{"cursor":"\#(cursor)"}"#).result
        let changes = missed?["changes"]?.elements.map {
            "\($0["session"]?["sessionId"]?.string ?? "") \($0["gone"]?.bool ?? false)"
        }
        #expect(changes == ["b false", "a true"])
    }

    @Test func `tells what was purged or pruned, and of numbers says nothing but the time`() throws {
        let daemon = try TestDaemon()
        let watcher = try daemon.client(), client = try daemon.client()
        for name in ["a", "b"] {
            try client.open(name)
            _ = try client.prompt(name, "words")
        }
        _ = try watcher.call("_convod/watch")
        for (name, method, params) in [
            ("a", "_convod/session/purge", #"{"sessionId":"a"}"#),
            ("b", "_convod/store/prune", #"{"scope":"live","before":"2100-01-01T00:00:00.000Z"}"#),
        ] {
            #expect(try client.call(method, params).result != nil)
            let gone = try watcher.update { $0["params"]?["gone"]?.bool == true }
            #expect(gone["params"]?["session"]?["sessionId"]?.string == name)
        }
        let before = Int64(Machine.milliseconds())
        try client.open("c")
        let made = try watcher.update { $0["method"]?.string == "_convod/watch/event" }
        let cursor = made["params"]?["cursor"]?.string ?? ""
        #expect(Int64(cursor.dropFirst(), radix: 36) ?? 0 >= before, "\(cursor)")
    }

    @Test func `of chosen sessions sees their updates, and changes nothing`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client(), watcher = try daemon.client()
        try client.open("s")
        _ = try watcher.call("_convod/watch", #"{"sessions":["s"]}"#)
        let id = try client.startPrompt("s", "hello")
        let seen = try watcher.update {
            $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
        }
        #expect(seen["params"]?["sessionId"]?.string == "s")
        _ = try client.finish(id)
        #expect(try watcher.prompt("s", "me too").kind == "permission_denied")
        let set = try watcher.call("_convod/session/set", #"{"sessionId":"s","title":"x"}"#)
        #expect(set.kind == "permission_denied")
        _ = try watcher.call("session/resume", #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]}"#)
        #expect(try watcher.prompt("s", "now I may").result != nil)
    }

    @Test func `as an observer is chosen when a session is opened`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client(), observer = try daemon.client()
        try client.open("s")
        _ = try client.prompt("s", "hello")
        let loaded = try observer.call(
            "session/load",
            #"{"sessionId":"s","cwd":"/tmp","mcpServers":[],"_meta":{"convod":{"role":"observer"}}}"#)
        #expect(loaded.text().contains("you said: hello"))
        #expect(try observer.prompt("s", "x").kind == "permission_denied")
        #expect(try observer.call("_convod/turn/retry", #"{"sessionId":"s"}"#).kind == "permission_denied")
    }

    @Test(arguments: ["joined", "watching"])
    func `as an observer changes nothing by a detour`(_ way: String) throws {
        let daemon = try TestDaemon()
        let client = try daemon.client(), observer = try daemon.client()
        try client.open("s")
        _ = try client.prompt("s", "hello")
        _ =
            way == "watching"
            ? try observer.call("_convod/watch", #"{"sessions":["s"]}"#)
            : try observer.call(
                "session/resume", #"{"sessionId":"s","cwd":"/","_meta":{"convod":{"role":"observer"}}}"#)
        let brought = #""systemPrompt":{"mode":"append","content":[{"type":"text","text":"planted"}]}"#
        let opened = try observer.call(
            "session/new",
            #"{"cwd":"/","mcpServers":[],\#(brought),"_meta":{"convod":{"sessionId":"s","ifExists":"resume"}}}"#
        )
        #expect(opened.kind == "permission_denied")
        let pruned = try observer.call(
            "_convod/store/prune", #"{"scope":"live","before":"2100-01-01T00:00:00.000Z"}"#)
        #expect(pruned.result?["sessions"]?.int == 0)
        let session = try client.call("_convod/session/get", #"{"sessionId":"s"}"#).result
        #expect(session != nil && session?["appendedSystem"]?.string == nil)
    }
}
