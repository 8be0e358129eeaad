internal import Archive
internal import Conversation
internal import JSON
internal import Posix
internal import Store
internal import TestSupport
internal import Testing

/// Makes one read fail once, and tells which there are.
private final class Fault: Sendable {
    private struct State {
        var target: String?
        var skip = 0
        var seen: [String] = []
    }
    private let state = Locked(State())

    /// The next read that does this fails, after so many that do not.
    func arm(_ target: String, after skip: Int) {
        state.withLock { $0 = State(target: target, skip: skip) }
    }

    /// Nothing fails any more.
    func disarm() { state.withLock { $0.target = nil } }

    var seen: [String] { state.withLock { $0.seen } }
    /// Whether it has happened.
    var isDone: Bool { state.withLock { $0.target == nil } }

    var look: @Sendable (String) -> ArchiveError? {
        { [state] doing in
            state.withLock { state in
                state.seen.append(doing)
                guard doing == state.target else { return nil }
                state.skip -= 1
                guard state.skip < 0 else { return nil }
                state.target = nil
                return ArchiveError(.disk, doing, reason: "a test says so")
            }
        }
    }
}

@Suite struct `A read that fails once` {
    private static let configuration =
        "{ upstreams: { echo: { kind: 'echo' } }, quotas: { session: { tokens: 10000000 }, user: { tokensPerDay: 10000000 } } }"

    /// A conversation with a queue, repeats, branches and lists; each request is answered with a result or the failure.
    private func talk(_ daemon: TestDaemon, _ fault: Fault, _ what: String) throws {
        let client = try daemon.client()
        let other = try daemon.client()
        var said: [String] = []
        func expect(_ answer: TestClient.Answer, _ method: String) {
            #expect(
                answer.result != nil || answer.kind == "store_failed",
                "\(what): \(method): \(answer.kind ?? "")")
        }
        func call(_ method: String, _ params: String) throws {
            expect(try client.call(method, params), method)
        }
        try call("session/new", #"{"cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"s"}}}"#)
        let prompts = [("count to 30", ""), ("second", ""), ("third", #""requestId":"r""#)]
        let started = try prompts.map { ($0.0, try client.startPrompt("s", $0.0, $0.1)) }
        for (words, id) in started {
            let answer = try client.finish(id)
            expect(answer, words)
            if answer.result != nil { said.append(words) }
        }
        expect(try client.prompt("s", "third", #""requestId":"r""#), "a repeat")
        expect(
            try other.call("session/load", #"{"sessionId":"s","cwd":"/","mcpServers":[]}"#), "session/load")
        try call("_convod/turn/retry", #"{"sessionId":"s"}"#)
        try call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"appended"}]}]}"#)
        for method in [
            "_convod/message/list", "_convod/turn/list", "_convod/branch/list", "_convod/session/get",
        ] {
            try call(method, #"{"sessionId":"s"}"#)
        }
        for method in ["session/list", "_convod/session/find"] { try call(method, "{}") }
        try call("_convod/context/preview", #"{"sessionId":"s","prompt":[{"type":"text","text":"x"}]}"#)

        fault.disarm()
        // All is well again: what was answered is there, nothing waits, and the session goes on.
        #expect(try client.prompt("s", "last").result?["stopReason"]?.string == "end_turn", "\(what)")
        let messages = try client.messages("s")
        for words in said { #expect(messages.contains("user: \(words)"), "\(what): \(words)") }
        let open = try client.call("_convod/turn/list", #"{"sessionId":"s","open":true}"#).result?["turns"]
        #expect(open?.count == 0, "\(what)")
        try call("session/delete", #"{"sessionId":"s"}"#)
    }

    @Test func `is never taken for nothing there, wherever it is`() throws {
        let whole = Fault()
        try talk(try TestDaemon(Self.configuration, readFault: whole.look), whole, "no fault")
        var counts: [String: Int] = [:]
        for doing in whole.seen { counts[doing, default: 0] += 1 }
        #expect(counts.count > 10, "\(counts)")
        // Each kind of read at its first, middle and last place.
        for (doing, count) in counts.sorted(by: { $0.key < $1.key }) {
            for skip in Set([0, count / 2, max(0, count - 2)]).sorted() {
                let fault = Fault()
                let daemon = try TestDaemon(Self.configuration, readFault: fault.look)
                fault.arm(doing, after: skip)
                try talk(daemon, fault, "'\(doing)' after \(skip)")
            }
        }
    }

    @Test(arguments: [("find open turns", 0), ("find open turns", 1), ("find a session", 0)])
    func `keeps no prompt that waited from being taken up at a start`(_ doing: String, _ skip: Int) throws {
        let directory = try TemporaryDirectory()
        let first = try TestDaemon(Self.configuration, in: directory)
        let client = try first.client()
        try client.open("s")
        _ = try client.startPrompt("s", "count to 5000")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        _ = try client.startPrompt("s", "waited")
        _ = try client.update { $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "queued" }
        first.stop()
        let fault = Fault()
        fault.arm(doing, after: skip)
        let daemon = try TestDaemon(Self.configuration, in: directory, readFault: fault.look)
        let again = try daemon.client()
        // Where looks come late the client's own may be the one that fails.
        try Patience.until(true) {
            try again.call("session/load", #"{"sessionId":"s","cwd":"/","mcpServers":[]}"#).result != nil
        }
        while try again.call("_convod/turn/list", #"{"sessionId":"s","open":true}"#).result?["turns"]?.count
            != 0
        {
            _ = try again.next()
        }
        #expect(try again.messages("s").contains("user: waited"))
        #expect(fault.isDone, "\(fault.seen)")
    }

    @Test func `sends no request without its prompt when the next upstream is asked`() throws {
        let first = try ScriptedUpstream([
            [.hold] + ScriptedUpstream.failure("503 Service Unavailable", "{}"),
            ScriptedUpstream.failure("503 Service Unavailable", "{}"),
        ])
        let second = try ScriptedUpstream([ScriptedUpstream.answer(["fine"])])
        let fault = Fault()
        let daemon = try TestDaemon(
            """
            { upstreams: { a: { kind: 'openai', baseURL: '\(first.base)', model: 'm' }, b: { kind: 'openai', baseURL: '\(second.base)', model: 'm' } },
              routes: { default: ['a', 'b'] }, retry: { attempts: 1, patience: '1ms', base: '1ms' } }
            """, readFault: fault.look)
        let client = try daemon.client()
        client.kept = [first, second, daemon]
        try client.open("s")
        let prompt = try client.startPrompt("s", "hello")
        while first.requests.isEmpty { _ = try client.call("_convod/server/info") }
        fault.arm("read messages", after: 0)
        first.proceed()
        #expect(try client.finish(prompt).kind == "store_failed")
        #expect(fault.isDone && second.requests.isEmpty)
        #expect(try client.prompt("s", "again").text() == "fine")
        #expect(second.requests[0].contains(#""messages":[{"role":"user","content":"again"}]"#))
    }
}

@Suite struct `A list of sessions` {
    /// A directory whose database has so many sessions of one message.
    private func filled(_ count: Int) throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        let daemon = try TestDaemon(in: directory)
        daemon.stop()
        try shell(
            "sqlite3", daemon.database,
            """
            WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < \(count))
            INSERT INTO session (id, owner, name, cwd, branch, head, tokens, created_at, updated_at, activity)
            SELECT x, \(Process.userID), 's' || x, '/', x, 1, 5, 1000, 1000, x FROM n;
            INSERT INTO branch (id, session, created_at) SELECT id, id, 1000 FROM session;
            INSERT INTO message (key, id, role, status, created_at, tokens, total, content, arrival)
            SELECT (id << 32) + 1, randomblob(16), 1, 0, 1000, 5, 5, '[{"type":"text","text":"x"}]', id FROM session;
            """)
        return directory
    }

    @Test func `asks the store no more often for many sessions than for few (B098)`() throws {
        var counts: [[Int]] = []
        for sessions in [10, 100, 1_000] {
            let fault = Fault(), directory = try filled(sessions)
            let daemon = try TestDaemon(in: directory, readFault: fault.look)
            let client = try daemon.client()
            _ = try client.call("_convod/server/info")
            var row: [Int] = []
            for method in ["session/list", "_convod/session/find"] {
                let before = fault.seen.count
                let page = try client.call(method, method == "session/list" ? "{}" : #"{"limit":100}"#)
                #expect(page.result?["sessions"]?.count == min(sessions, 100), "\(method)")
                row.append(fault.seen.count - before)
            }
            counts.append(row)
        }
        // A longer list may take one more look to see where it ends; never one for each session.
        for row in counts {
            for (one, first) in zip(row, counts[0]) { #expect(one <= first + 2, "\(counts)") }
        }
    }
}
