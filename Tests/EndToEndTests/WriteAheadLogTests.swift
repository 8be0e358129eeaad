internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `The write-ahead log` {
    /// Appends a message of so many MiB to a session.
    private func append(_ client: TestClient, mebibytes: Int) throws {
        let text = String(repeating: "x", count: mebibytes << 20)
        let answer = try client.call(
            "_convod/message/append",
            #"{"sessionId":"s","ifMissing":"create","messages":[{"role":"user","content":[{"type":"text","text":"\#(text)"}]}]}"#
        )
        try #require(answer.result != nil, "\(answer.message)")
    }

    private func size(_ daemon: RealDaemon) throws -> Int {
        Int(try Files.status(daemon.database + "-wal")?.size ?? 0)
    }

    @Test func `that a reader kept grows with a word in the log, and is empty soon after it has gone`() throws
    {
        let daemon = try RealDaemon(), client = try daemon.client()
        try append(client, mebibytes: 1)
        let reader = try PipedProgram("/usr/bin/sqlite3", [daemon.database], environment: daemon.environment)
        _ = try System.write(reader.to.raw, Array("BEGIN; SELECT 'it reads', count(*) FROM session;\n".utf8))
        try soon("it reads") { try !System.wait(readable: [reader.from.raw], milliseconds: 100).isEmpty }
        for _ in 0..<10 { try append(client, mebibytes: 15) }
        #expect(try size(daemon) > 128 << 20)
        try soon("it is told") { daemon.logged.contains("event=wal_grows") }
        #expect(daemon.logged.split(separator: "\n").count { $0.contains("event=wal_grows") } <= 3)
        _ = try System.write(reader.to.raw, Array("COMMIT;\n.quit\n".utf8))
        try soon("the log is empty") { try size(daemon) == 0 }
        try append(client, mebibytes: 1)
        #expect(try daemon.sqlite("SELECT count(*) FROM message") == "12")
    }
}
