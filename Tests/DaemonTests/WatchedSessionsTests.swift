internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A watch of many sessions` {
    /// Names of sessions as a JSON array.
    private func names(_ count: Int) -> String {
        "[" + (0..<count).map { "\"s\($0)\"" }.joined(separator: ",") + "]"
    }

    @Test func `looks for each once, whatever number of times it is named`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s0")
        func time(_ sessions: String) throws -> UInt64 {
            let begin = Machine.monotonic()
            #expect(try client.call("_convod/watch", #"{"sessions":\#(sessions)}"#).result != nil)
            return Machine.monotonic() - begin
        }
        let same = "[" + [String](repeating: "\"s0\"", count: 1_000).joined(separator: ",") + "]"
        _ = try time(same)
        let few = try (0..<5).map { _ in try time(names(1)) }.min() ?? 0
        let many = try (0..<5).map { _ in try time(same) }.min() ?? 0
        // What is read is a hundred times longer; a look for each of 1,000 was 78 ms.
        #expect(many < few + UInt64(TestClient.patience) * 3_000, "\(few) \(many)")
    }

    @Test func `joins all of them, or none where one is not there, and keeps what is behind it waiting`()
        throws
    {
        let daemon = try TestDaemon()
        let client = try daemon.client(), other = try daemon.client()
        for number in 0..<200 { try other.open("s\(number)") }
        let watched = try client.start("_convod/watch", #"{"sessions":\#(names(200))}"#)
        let behind = try client.startPrompt("s199", "hello")
        #expect(try client.finish(watched).result?["live"]?.bool == true)
        // It watches already, and who watches asks nothing.
        #expect(try client.finish(behind).kind == "permission_denied")
        let missing = try client.call("_convod/watch", #"{"sessions":\#(names(201))}"#)
        #expect(missing.kind == "not_found")
    }
}
