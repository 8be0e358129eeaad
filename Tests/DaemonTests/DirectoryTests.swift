internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A session's directory` {
    @Test func `is one directory in all its spellings (N034)`() throws {
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

extension `A session's directory` {
    @Test func `is looked for before a page is cut, and pages go on while sessions are used (N034)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        func make(_ name: String, _ cwd: String) throws {
            _ = try client.call(
                "session/new",
                #"{"cwd":"\#(cwd)","mcpServers":[],"_meta":{"convod":{"sessionId":"\#(name)"}}}"#)
            _ = try client.call(
                "_convod/message/append",
                #"{"sessionId":"\#(name)","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#
            )
        }
        func page(_ params: String) throws -> (names: [String], next: String?) {
            let result = try client.call("session/list", "{\(params)}").result
            return (
                result?["sessions"]?.elements.compactMap { $0["sessionId"]?.string } ?? [],
                result?["nextCursor"]?.string
            )
        }
        for name in ["b1", "b2", "b3"] { try make(name, "/b") }
        for number in 0..<250 { try make("a\(number)", "/a") }
        let found = try page(#""cwd":"/b""#)
        #expect(found.names == ["b3", "b2", "b1"] && found.next == nil)
        var all: [String] = [], cursor: String?
        repeat {
            let (names, next) = try page(cursor.map { #""cursor":"\#($0)""# } ?? "")
            #expect(!names.isEmpty)
            all += names
            cursor = next
            // One that was listed is used, and one that is still to come goes.
            _ = try client.prompt("a249", "again")
            _ = try client.call("session/delete", #"{"sessionId":"b2"}"#)
        } while cursor != nil
        #expect(all == (0..<250).reversed().map { "a\($0)" } + ["b3", "b1"])
        let other = try client.call("_convod/session/find", #"{"limit":1}"#).result?["nextCursor"]?.string
        for wrong in [other ?? "", "s", "nonsense", ""] {
            #expect(
                try client.call("session/list", #"{"cursor":"\#(wrong)"}"#).kind == "invalid_params",
                "'\(wrong)'")
        }
    }
}
