internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

/// A long answer of characters of one to four bytes, and who comes back to it.
@Suite struct `An answer that is resumed at any byte` {
    private static let resumes = 500
    private static let words = (0..<300).map { "你\($0)é🌍好" }.joined(separator: " ")
    private static let slow = #"{ drain: "50ms", upstreams: { echo: { kind: "echo", delay: "5ms" } } }"#

    /// Where a client stands, and what it got there.
    private struct Held {
        var message = ""
        var text = ""

        mutating func take(_ line: JSONView) {
            let update = line["params"]?["update"]
            guard update?["sessionUpdate"]?.string == "agent_message_chunk" else { return }
            message = update?["messageId"]?.string ?? ""
            text += update?["content"]?["text"]?.string ?? ""
        }
    }

    /// One that came back, and where it was.
    private struct Returned {
        let request: ModelRequest
        let client: ModelClient

        init(_ daemon: RealDaemon, _ message: String, _ offset: Int) throws {
            client = try ModelClient(daemon.socket)
            request = ModelRequest(
                .resume, "session/resume",
                #"{"sessionId":"s","cwd":"/","_meta":{"convod":{"after":{"messageId":"\#(message)","offset":\#(offset)}}}}"#
            )
            (request.target, request.offset) = (message, offset)
            client.send(request)
            try read { $0.answer != nil }
        }

        private func read(until holds: (ModelRequest) -> Bool) throws {
            while !holds(request), client.isOpen {
                guard try !System.wait(readable: [client.fd], milliseconds: 20_000).isEmpty else {
                    throw Late(description: "nothing comes after \(request.description)")
                }
                try client.read { _ in
                } updated: { _, _ in
                }
            }
        }

        /// Whether the answer still ran when it came back.
        var isLive: Bool { request.extras?["running"] != nil }

        /// What is not as it should be, the whole answer being known; nil is right.
        func check(_ whole: [UInt8]) throws -> String? {
            if isLive { try read { client.ended.contains($0.target ?? "") } }
            let problems = client.takeProblems()
            if !problems.isEmpty || request.result == nil { return "\(problems), \(request.description)" }
            var right = request.offset
            while right > 0, right < whole.count, whole[right] & 0xC0 == 0x80 { right -= 1 }
            let seen = client.seen[request.target ?? ""]
            if seen?.start ?? whole.count != right {
                return "at \(request.offset): began at \(seen?.start ?? -1), not \(right)"
            }
            let bytes = seen?.bytes ?? []
            return bytes == Array(whole[right...])
                ? nil : "at \(request.offset): \(bytes.count) bytes of \(whole.count - right)"
        }
    }

    private func begin(_ daemon: RealDaemon, _ until: Int) throws -> (TestClient, Int, Held) {
        let client = try daemon.client()
        try client.open("s", #""window":{"maxTokens":1000000}"#)
        let id = try client.startPrompt("s", Self.words)
        var held = Held()
        while held.text.utf8.count < until { held.take(try client.next()) }
        return (client, id, held)
    }

    @Test func `gives exactly the rest while it runs and after it ended (N011)`() throws {
        var random = SeededRandom()
        let daemon = try RealDaemon(Self.slow)
        var (client, id, held) = try begin(daemon, 200)
        var running: [Returned] = []
        while running.count < Self.resumes / 2, held.text.utf8.count < Self.words.utf8.count {
            running.append(try Returned(daemon, held.message, random.int(0...held.text.utf8.count)))
            held.take(try client.next())
        }
        var isEnded = false
        while !isEnded {
            let line = try client.next()
            held.take(line)
            isEnded = line["method"] == nil && line["id"]?.int == id
        }
        let whole = Array(held.text.utf8)
        #expect(held.text.hasSuffix(Self.words))
        var problems = try running.compactMap { try $0.check(whole) }
        for _ in running.count..<Self.resumes {
            let returned = try Returned(daemon, held.message, random.int(0...whole.count))
            if let problem = try returned.check(whole) { problems.append("after its end \(problem)") }
        }
        #expect(problems == [], "\(random)")
        print(
            "resumed \(running.count { $0.isLive }) times while it ran, \(Self.resumes) in all, \(random)"
        )
        #expect(running.count { $0.isLive } >= 50)
    }

    @Test func `gives exactly the rest of what was stored when the daemon was killed in it (N010)`() throws {
        var random = SeededRandom()
        let daemon = try RealDaemon(Self.slow)
        let (client, _, begun) = try begin(daemon, random.int(100...2_000))
        try daemon.kill()
        var held = begun
        while let line = try? client.next() { held.take(line) }
        try daemon.start()
        let list = try daemon.client().call("_convod/message/list", #"{"sessionId":"s","last":1}"#)
        let message = list.result?["messages"]?.elements.first { _ in true }
        let stored = message?["content"]?.elements.compactMap { $0["text"]?.string }.joined() ?? ""
        #expect(message?["id"]?.string == held.message && message?["status"]?.string == "interrupted")
        #expect(stored.utf8.count >= held.text.utf8.count && stored.hasPrefix(held.text), "\(random)")
        let whole = Array(stored.utf8)
        var problems: [String] = []
        for _ in 0..<Self.resumes {
            let returned = try Returned(daemon, held.message, random.int(0...held.text.utf8.count))
            if let problem = try returned.check(whole) { problems.append(problem) }
        }
        #expect(problems == [], "\(random)")
    }
}
