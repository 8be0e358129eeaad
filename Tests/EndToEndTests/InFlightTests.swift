internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A prompt behind another client's messages that are not stored yet` {
    @Test func `is sent with them, and its receipt says so`() throws {
        let daemon = try RealDaemon()
        let one = try daemon.client(), two = try daemon.client()
        try one.open("s")
        // Another program holds the write lock, so that what comes waits on its way to the store.
        let locker = try PipedProgram("/usr/bin/sqlite3", [daemon.database], environment: daemon.environment)
        _ = try System.write(locker.to.raw, Array("BEGIN IMMEDIATE; SELECT 'locked';\n".utf8))
        try soon("it is locked") { try !System.wait(readable: [locker.from.raw], milliseconds: 100).isEmpty }
        let append = try one.start(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"first"}]}]}"#)
        _ = try one.call("_convod/server/info")
        let prompt = try two.startPrompt("s", "second")
        _ = try two.call("_convod/server/info")
        _ = try System.write(locker.to.raw, Array("COMMIT;\n.quit\n".utf8))
        #expect(try one.finish(append).result != nil)
        let answer = try two.finish(prompt)
        #expect(answer.extras?["receipt"]?["sentMessages"]?.int == 2, "\(answer.message)")
        #expect(answer.text().hasPrefix("Message 2 of this session; you said: second"), "\(answer.text())")
        #expect(try two.messages("s").prefix(2) == ["user: first", "user: second"])
    }
}
