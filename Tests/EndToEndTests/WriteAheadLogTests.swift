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

extension `The write-ahead log` {
    @Test func `stays short while a client does not read its export, which is whole all the same (B080)`()
        throws
    {
        let daemon = try RealDaemon(), client = try daemon.client()
        try daemon.fill("big", (0..<20).map { "\($0)" + String(repeating: "w", count: 500_000) })
        let reader = try RawClient(daemon.socket)
        try reader.write(
            #"{"jsonrpc":"2.0","id":1,"method":"_convod/export","params":{"sessionId":"big"}}"# + "\n")
        try soon("the export has begun") { try reader.hasMore }
        for _ in 0..<10 {
            try append(client, mebibytes: 15)
            // 64 MiB of a log that is kept for reuse, and one commit.
            #expect(try size(daemon) <= 80 << 20)
        }
        try soon("the log is empty though the export waits") { try size(daemon) == 0 }
        #expect(!daemon.logged.contains("event=wal_grows"))
        // The session, 20 messages and the answer; a record of the end may stand before that.
        #expect(try reader.read(lines: 22))
        try soon("the answer with its digest comes") {
            if String(decoding: reader.tail, as: UTF8.self).contains("\"sha256\"") { return true }
            return try reader.hasMore && !reader.read(lines: reader.lines + 1)
        }
        #expect(String(decoding: reader.tail, as: UTF8.self).contains("\"sha256\""))
    }
}

@Suite struct `A purge beside a program that reads the database` {
    @Test func `is answered when that has ended, and others are served meanwhile`() throws {
        let daemon = try RealDaemon(), client = try daemon.client(), other = try daemon.client()
        try client.open("s")
        #expect(try client.prompt("s", "the plantedsecret").result != nil)
        let reader = try PipedProgram("/usr/bin/sqlite3", [daemon.database], environment: daemon.environment)
        _ = try System.write(reader.to.raw, Array("BEGIN; SELECT 'it reads', count(*) FROM session;\n".utf8))
        try soon("it reads") { try !System.wait(readable: [reader.from.raw], milliseconds: 100).isEmpty }
        let purge = try client.start("_convod/session/purge", #"{"sessionId":"s"}"#)
        try other.open("t")
        // The cut of the log is tried some times meanwhile.
        let begin = Machine.monotonic()
        while Machine.monotonic() - begin < 3_000_000_000 {
            #expect(try other.call("_convod/server/info").result != nil)
        }
        #expect(try shell("grep", "-c", "plantedsecret", daemon.database + "-wal") != "0\n")
        _ = try System.write(reader.to.raw, Array("COMMIT;\n.quit\n".utf8))
        #expect(try client.finish(purge).result?["messages"]?.int == 2)
        #expect(try shell("sh", "-c", "grep -la plantedsecret \(daemon.database)*; true") == "")
    }
}
