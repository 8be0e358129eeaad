internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `The first token of a credential` {
    @Test func `is tried for where it can be seen`() throws {
        let away = ScriptedUpstream.failure("503 Service Unavailable", "{}")
        let token = ScriptedUpstream.failure("200 OK", #"{"access_token":"abc","expires_in":3600}"#)
        let tokens = try ScriptedUpstream([away, token])
        let chunk =
            #"data: {"candidates":[{"content":{"parts":[{"text":"fine"}]},"finishReason":"STOP"}]}"#
            + "\r\n\r\n"
        let server = try ScriptedUpstream([[.write(ScriptedUpstream.head + chunk)]])
        let directory = try TemporaryDirectory()
        let file = directory.file("login.json")
        try Files.replace(
            file,
            with: Array(
                #"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#.utf8))
        let daemon = try TestDaemon(
            """
            { upstreams: { g: { kind: 'gemini', baseURL: '\(server.origin)', model: 'm',
              credentials: { authorizedUser: '\(file)', tokenURL: 'http://127.0.0.1:\(tokens.port)/t' } } } }
            """)
        let client = try daemon.client()
        client.kept = [daemon, server, tokens]
        try client.open("s")
        let answer = try client.prompt("s", "hello")
        #expect(answer.text() == "fine", "\(text(answer.message.raw))")
        let shown = answer.updates.compactMap { $0["params"]?["update"]?["_meta"]?["convod"] }.first {
            $0["state"]?.string == "retrying"
        }
        #expect(shown?["upstream"]?.string == "g" && (shown?["retryInMs"]?.int ?? 0) > 0)
        #expect(shown?["error"]?["message"]?.string?.contains("HTTP 503") == true)
    }
}
