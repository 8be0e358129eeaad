internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `An ending` {
    @Test(arguments: [3_000, 1])
    func `that cannot be stored as it is is stored shorter, and the session goes on`(most: Int) throws {
        let daemon = try RealDaemon()
        let client = try daemon.client()
        try client.open("s")
        _ = try daemon.sqlite(
            """
            CREATE TRIGGER no_long BEFORE INSERT ON message WHEN NEW.role = 2 AND length(NEW.content) > \(most) AND
            (SELECT count(*) FROM message) < 3 BEGIN SELECT RAISE(ABORT, 'string or blob too big'); END
            """)
        let answer = try client.prompt("s", String(repeating: "long words ", count: 500))
        #expect(answer.kind == "store_failed")
        #expect(answer.error?["message"]?.string?.contains("could not be stored whole") == true)
        #expect(
            try client.call("_convod/turn/list", #"{"sessionId":"s","open":true}"#).result?["turns"]?.count
                == 0)
        _ = try daemon.sqlite("DROP TRIGGER no_long")
        #expect(try client.prompt("s", "and now?").result?["stopReason"]?.string == "end_turn")
        #expect(try daemon.sqlite("PRAGMA integrity_check") == "ok")
    }

    @Test func `of a turn that somebody else closed is an error, not a success`() throws {
        let daemon = try RealDaemon()
        let client = try daemon.client()
        try client.open("s")
        let running = try client.startPrompt("s", "count to 60")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        _ = try daemon.sqlite(
            "PRAGMA busy_timeout = 5000; UPDATE turn SET state = 4, ended_at = created_at WHERE state = 1")
        let answer = try client.finish(running)
        #expect(answer.kind == "store_failed", "\(answer.result.map { text($0.raw) } ?? "")")
        #expect(answer.error?["message"]?.string?.contains("another program") == true)
        #expect(try client.prompt("s", "and now?").result?["stopReason"]?.string == "end_turn")
    }

    @Test func `of a prompt that waited and that somebody else closed is an error too`() throws {
        let daemon = try RealDaemon()
        let client = try daemon.client()
        try client.open("s")
        _ = try client.startPrompt("s", "count to 1000")
        let waiting = try client.startPrompt("s", "waits")
        let update = try client.update {
            $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "queued"
        }
        let turn = update["params"]?["update"]?["_meta"]?["convod"]?["turnId"]?.string ?? ""
        _ = try daemon.sqlite(
            "PRAGMA busy_timeout = 5000; UPDATE turn SET state = 3, ended_at = created_at WHERE state = 0")
        let cancel = try client.start("_convod/turn/cancel", #"{"turnId":"\#(turn)"}"#)
        #expect(try client.finish(waiting).kind == "store_failed")
        #expect(try client.finish(cancel).kind == "store_failed", "it was not cancelled by us")
    }

    /// Has a prompt that waits cancelled while the store takes no cancelling, and what its client is told.
    private func cancelUnstored(_ daemon: RealDaemon) throws -> String? {
        let client = try daemon.client()
        try client.open("s")
        _ = try client.startPrompt("s", "count to 100000")
        let waiting = try client.startPrompt("s", "waits")
        let update = try client.update { $0.extras?["state"]?.string == "queued" }
        let turn = update.extras?["turnId"]?.string ?? ""
        _ = try daemon.sqlite(
            """
            PRAGMA busy_timeout = 5000; CREATE TRIGGER no_cancel BEFORE UPDATE ON turn WHEN NEW.state = 3
            BEGIN SELECT RAISE(ABORT, 'no room'); END
            """)
        let cancel = try client.start("_convod/turn/cancel", #"{"turnId":"\#(turn)"}"#)
        let told = try client.finish(waiting).kind
        #expect(try client.finish(cancel).kind == told)
        return told
    }

    @Test func `of a prompt that waited is stored as soon as it can be`() throws {
        let daemon = try RealDaemon()
        #expect(try cancelUnstored(daemon) == "store_failed")
        _ = try daemon.sqlite("PRAGMA busy_timeout = 5000; DROP TRIGGER no_cancel")
        try soon("it is cancelled") { try daemon.sqlite("SELECT count(*) FROM turn WHERE state = 3") == "1" }
    }

    @Test func `of a prompt that waited was refused, so that after a kill the prompt runs`() throws {
        let daemon = try RealDaemon()
        #expect(try cancelUnstored(daemon) == "store_failed")
        try daemon.kill()
        _ = try daemon.sqlite("DROP TRIGGER no_cancel")
        try daemon.start()
        // What could not be written is known to nobody then; its client was told so.
        try soon("both turns have ended") {
            try daemon.sqlite("SELECT count(*) FROM turn WHERE state IN (0, 1)") == "0"
        }
        #expect(
            try daemon.sqlite("SELECT count(*) FROM turn WHERE prompt_id NOT IN (SELECT id FROM message)")
                == "0")
    }

    @Test func `of a prompt that is refused while its session is deleted is no fault`() throws {
        let daemon = try RealDaemon()
        let client = try daemon.client()
        try client.open("s")
        _ = try client.startPrompt("s", "count to 1000")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        let raw = try RawClient(daemon.socket)
        let other = "01a21ae6-5e37-7000-85c6-93cd9151cfc1"
        try raw.write(
            #"{"jsonrpc":"2.0","id":1,"method":"session/prompt","params":{"sessionId":"s","prompt":[{"type":"text","text":"x"}],"_meta":{"convod":{"expectedHead":"\#(other)"}}}}"#
                + "\n" + #"{"jsonrpc":"2.0","id":2,"method":"session/delete","params":{"sessionId":"s"}}"#
                + "\n")
        #expect(try raw.read(lines: 2))
        _ = try client.call("_convod/server/info")
        try daemon.signal(Signals.terminate)
        #expect(try daemon.ended() == .exited(0))
        #expect(!daemon.logged.contains("turn_not_stored"), "\(daemon.logged)")
    }
}
