internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A prompt behind another client's messages that are not stored yet` {
    @Test func `is sent with them, and its receipt says so (B077)`() throws {
        let daemon = try RealDaemon()
        let one = try daemon.client(), two = try daemon.client()
        try one.open("s")
        // What comes waits on its way to the store.
        let locker = try WriteLock(daemon)
        let append = try one.start(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"first"}]}]}"#)
        _ = try one.call("_convod/server/info")
        let prompt = try two.startPrompt("s", "second")
        _ = try two.call("_convod/server/info")
        try locker.release()
        #expect(try one.finish(append).result != nil)
        let answer = try two.finish(prompt)
        #expect(answer.extras?["receipt"]?["sentMessages"]?.int == 2, "\(answer.message)")
        #expect(answer.text().hasPrefix("Message 2 of this session; you said: second"), "\(answer.text())")
        #expect(try two.messages("s").prefix(2) == ["user: first", "user: second"])
    }
}

@Suite struct `Requests that are not stored yet` {
    @Test func `have one bound for all clients, at which who has any is read no further`() throws {
        let daemon = try RealDaemon(
            #"{ drain: "50ms", limits: { unstored: "1MiB" }, upstreams: { echo: { kind: "echo" } } }"#)
        let one = try daemon.client(), two = try daemon.client(), three = try daemon.client()
        try one.open("s")
        let locker = try WriteLock(daemon)
        let text = String(repeating: "x", count: 600 << 10)
        let params =
            #"{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"\#(text)"}]}]}"#
        let first = try one.start("_convod/message/append", params)
        _ = try one.call("_convod/server/info")
        let second = try two.start("_convod/message/append", params)
        let info = try two.start("_convod/server/info")
        // Who has nothing on its way is read.
        for _ in 0..<20 { #expect(try three.call("_convod/server/info").result != nil) }
        #expect(try two.isQuiet)
        try locker.release()
        var answered: Set<Int> = []
        while answered.count < 2 { if let id = try two.next()["id"]?.int { answered.insert(id) } }
        #expect(answered == [second, info])
        #expect(try one.finish(first).result != nil)
    }
}

/// Another program that has the write lock of a daemon's database.
final class WriteLock {
    private let program: PipedProgram

    init(_ daemon: RealDaemon) throws {
        let program = try PipedProgram(
            "/usr/bin/sqlite3", [daemon.database], environment: daemon.environment)
        self.program = program
        _ = try System.write(program.to.raw, Array("BEGIN IMMEDIATE; SELECT 'locked';\n".utf8))
        try soon("it is locked") { try !System.wait(readable: [program.from.raw], milliseconds: 100).isEmpty }
    }

    func release() throws { _ = try System.write(program.to.raw, Array("COMMIT;\n.quit\n".utf8)) }
}

@Suite struct `Batches` {
    @Test func `that hold as much as all clients may are answered all the same, and leave nothing behind`()
        throws
    {
        let daemon = try RealDaemon(
            #"{ drain: "50ms", limits: { unstored: "1MiB" }, upstreams: { echo: { kind: "echo" } } }"#)
        let one = try daemon.client()
        try one.open("s")
        let text = String(repeating: "x", count: 20 << 10)
        func batch(_ name: String) -> String {
            let entries = (0..<60).map { number in
                #"{"jsonrpc":"2.0","id":"\#(name)\#(number)","method":"_convod/message/append","params":{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"\#(text)"}]}]}}"#
            }
            return "[" + entries.joined(separator: ",") + "]\n"
        }
        // Each has more than the bound; and some leave in the middle of theirs.
        let clients = try (0..<6).map { _ in try RawClient(daemon.socket) }
        for (number, client) in clients.enumerated() { try client.write(batch("b\(number)-")) }
        for client in clients.prefix(3) { #expect(try client.read(lines: 1)) }
        for client in clients.dropFirst(3) { client.close() }
        try soon("all of them are done") {
            try one.call("_convod/server/info").result?["connections"]?.int == 4
        }
        // With nothing left that is held, who has something on its way is read on.
        let prompt = try one.startPrompt("s", "hello", #""window":{"maxMessages":1}"#)
        let info = try one.start("_convod/server/info")
        var seen: Set<Int> = []
        while seen.count < 2 { if let id = try one.next()["id"]?.int { seen.insert(id) } }
        #expect(seen == [prompt, info])
    }

    @Test func `of a client that is closed in the middle of one are dropped, and the daemon goes on`() throws
    {
        let daemon = try RealDaemon(
            #"{ drain: "50ms", limits: { unstored: "1MiB", userBuffers: "1MiB" }, upstreams: { echo: { kind: "echo" } } }"#
        )
        let one = try daemon.client()
        try one.open("s")
        let text = String(repeating: "x", count: 40 << 10)
        let entry =
            #"{"jsonrpc":"2.0","id":1,"method":"_convod/message/append","params":{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"\#(text)"}]}]}}"#
        let greedy = try RawClient(daemon.socket)
        try greedy.write("[" + Array(repeating: entry, count: 60).joined(separator: ",") + "]\n")
        #expect(try !greedy.read(lines: 100))
        #expect(String(decoding: greedy.tail, as: UTF8.self).contains("userBuffers"))
        #expect(try one.call("_convod/server/info").result != nil)
        #expect(try one.prompt("s", "hello", #""window":{"maxMessages":1}"#).result != nil)
    }
}

@Suite struct `Answers that end while another program has the write lock` {
    @Test func `are all stored when it is let go (B077)`() throws {
        let daemon = try RealDaemon()
        let other = try daemon.client(), clients = try (0..<8).map { _ in try daemon.client() }
        for (number, client) in clients.enumerated() { try client.open("s\(number)") }
        let ids = try clients.enumerated().map { try $1.startPrompt("s\($0)", "count to 100") }
        for client in clients {
            _ = try client.update {
                $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
            }
        }
        let lock = try WriteLock(daemon)
        // Counting takes about a second, so that all of them end under the lock.
        let begin = Machine.monotonic()
        try soon("two seconds have passed") {
            let info = try other.call("_convod/server/info").result
            return info != nil && Machine.monotonic() - begin > 2_000_000_000
        }
        try lock.release()
        for (client, id) in zip(clients, ids) {
            let answer = try client.finish(id)
            #expect(answer.result?["stopReason"]?.string == "end_turn", "\(answer.message)")
        }
        let counted = (1...100).map(String.init).joined(separator: " ")
        for number in clients.indices {
            #expect(
                try other.messages("s\(number)") == ["user: count to 100", "assistant: \(counted)"])
        }
    }
}
