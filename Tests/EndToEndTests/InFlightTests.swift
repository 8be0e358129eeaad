internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A prompt behind another client's messages that are not stored yet` {
    @Test func `is sent with them, and its receipt says so`() throws {
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
        #expect(try three.call("_convod/server/info").result != nil)
        try locker.release()
        var order: [Int] = []
        while order.count < 2 { if let id = try two.next()["id"]?.int { order.append(id) } }
        #expect(order == [second, info])
        #expect(try one.finish(first).result != nil)
    }
}

/// Another program that has the write lock of a daemon's database.
private final class WriteLock {
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
