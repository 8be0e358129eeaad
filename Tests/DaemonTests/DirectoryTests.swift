internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A session's directory` {
    @Test func `is one directory in all its spellings`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        let spellings = ["/work/a", "/work/a/", "//work//a", "/work/./a/.", "/./work/a//"]
        for (index, path) in spellings.enumerated() {
            let made = try client.call(
                "session/new",
                #"{"cwd":"\#(path)","mcpServers":[],"_meta":{"convod":{"sessionId":"s\#(index)"}}}"#)
            #expect(made.error == nil)
            _ = try client.prompt("s\(index)", "hello")
        }
        for path in spellings {
            let list = try client.call("session/list", #"{"cwd":"\#(path)"}"#).result?["sessions"]
            #expect(list?.count == spellings.count, "\(path)")
            #expect(list?.elements.allSatisfy { $0["cwd"]?.string == "/work/a" } == true)
            let found = try client.call("_convod/session/find", #"{"cwd":"\#(path)"}"#).result?["sessions"]
            #expect(found?.count == spellings.count, "\(path)")
        }
        #expect(try client.call("session/list", #"{"cwd":"/work/x/../a"}"#).result?["sessions"]?.count == 0)
        #expect(try client.call("session/new", #"{"cwd":"/","mcpServers":[]}"#).error == nil)
    }

    @Test func `and a limit may be written as any integer`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        for limit in ["1e2", "1.0", "100"] {
            #expect(try client.call("_convod/session/find", "{\"limit\":\(limit)}").error == nil)
        }
        #expect(try client.call("_convod/session/find", #"{"limit":1.5}"#).kind == "invalid_params")
    }
}
