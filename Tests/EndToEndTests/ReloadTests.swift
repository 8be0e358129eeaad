internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A configuration that is read again` {
    /// What becomes of a prompt whose server says nothing when it is asked for its models.
    private func prompt(thenReload upstreams: String) throws -> TestClient.Answer {
        let silent = listenOnLoopback()
        defer { _ = Descriptor(owning: silent.descriptor) }
        let daemon = try RealDaemon(
            #"{ drain: "50ms", upstreams: { local: { kind: "openai", baseURL: "http://127.0.0.1:\#(silent.port)/v1" } } }"#
        )
        let client = try daemon.client()
        try client.open("s")
        let waiting = try client.startPrompt("s", "hello")
        // Taken, and waiting for the server, once something behind it is answered.
        _ = try client.call("_convod/server/info")
        try daemon.reload("{ drain: '50ms', upstreams: { \(upstreams) } }")
        return try client.finish(waiting)
    }

    @Test func `asks the server that took the place of one that was being asked`() throws {
        let answer = try prompt(thenReload: "local: { kind: 'echo' }")
        #expect(answer.result?["stopReason"]?.string == "end_turn", "\(answer.kind ?? "")")
    }

    @Test func `ends the wait for a server that is gone`() throws {
        let answer = try prompt(thenReload: "echo: { kind: 'echo' }")
        #expect(answer.kind == "upstream_unavailable")
    }

    @Test func `empties the trash by what it says now, and who is joined hears that a session is purged`()
        throws
    {
        let daemon = try RealDaemon()
        let client = try daemon.client()
        try client.open("s")
        _ = try client.prompt("s", "words")
        #expect(try client.call("session/delete", #"{"sessionId":"s"}"#).result != nil)
        try daemon.reload(
            "{ drain: '50ms', retention: { trash: '1ms' }, upstreams: { echo: { kind: 'echo' } } }")
        let left = try client.update { $0["params"]?["update"]?["_meta"]?["convod"]?["left"]?.bool == true }
        #expect(left["params"]?["update"]?["_meta"]?["convod"]?["error"]?["kind"]?.string == "not_found")
    }

    @Test func `says what only a start can change`() throws {
        let daemon = try RealDaemon()
        try daemon.reload(
            "{ drain: '50ms', socket: { mode: '0660' }, database: { durability: 'normal' }, limits: { connections: 7 }, upstreams: { echo: { kind: 'echo' } } }"
        )
        let lines = daemon.logged.split(separator: "\n").filter { $0.contains("event=reload_ignored") }
        #expect(lines.count == 3)
        for key in ["socket.mode", "database.durability", "limits.connections"] {
            #expect(lines.contains { $0.contains("key=\(key) needs=restart") }, "\(lines)")
        }
        try daemon.reload(RealDaemon.standard)
        #expect(daemon.logged.split(separator: "\n").count { $0.contains("event=reload_ignored") } == 3)
    }
}
