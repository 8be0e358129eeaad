internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A daemon that is killed` {
    private static let rounds = Process.environment["CONVOD_KILL_ROUNDS"].flatMap { Int($0) } ?? 6
    private static let clients = 8

    @Test func `has each acknowledged message once, and no turn that still runs`() throws {
        var random = SeededRandom()
        let daemon = try RealDaemon()
        try daemon.client().open(Work.shared)
        var known: [String: Work] = [:], acknowledged = 0, cut = 0
        for round in 1...Self.rounds {
            let socket = daemon.socket
            let threads = try startThreads(Self.clients) { number in
                var work = Work(session: "r\(round)-c\(number)")
                work.go(on: socket)
                return work
            }
            // The moment is random, the wait ends early when every client has ended by itself.
            let moment = Machine.monotonic() + UInt64(random.int(20...300)) * 1_000_000
            try soon("the moment of the kill") { threads.isDone || Machine.monotonic() >= moment }
            try daemon.kill()
            let works = threads.wait()
            try daemon.start()
            let client = try daemon.client()
            for var work in works where work.hasBegun {
                let problems = try work.check(client)
                #expect(problems == [], "round \(round), \(random)")
                known[work.session] = work
                acknowledged += work.appended.count + work.inShared.count + work.answered.count
                cut += work.open == nil ? 0 : 1
            }
        }
        let client = try daemon.client()
        #expect(try Work.checkShared(Array(known.values), client) == [], "at the end, \(random)")
        for var work in known.values { #expect(try work.check(client) == [], "at the end, \(random)") }
        #expect(acknowledged > 0)
        try daemon.stop()
        // What was cut is told where failures are.
        let untold =
            "SELECT count(*) FROM turn t WHERE state = 4 AND NOT EXISTS (SELECT 1 FROM attempt WHERE turn = t.id)"
        #expect(try daemon.sqlite(untold) == "0")
        #expect(try daemon.sqlite("PRAGMA integrity_check") == "ok")
        #expect(try daemon.sqlite("PRAGMA foreign_key_check") == "")
        print(
            "kill -9: \(Self.rounds) rounds, \(acknowledged) acknowledged, \(cut) cut in mid-answer, \(random)"
        )
    }
}

extension `A daemon that is killed` {
    @Test func `right behind an operator's answer has kept who asked`() throws {
        let daemon = try RealDaemon()
        for round in 1...10 {
            let client = try daemon.client()
            #expect(try client.call("_convod/store/prune", "{}").result != nil)
            try daemon.kill()
            let kept = "SELECT count(*) FROM audit WHERE method = '_convod/store/prune' AND outcome = 'done'"
            #expect(try daemon.sqlite(kept) == "\(round)")
            try daemon.start()
        }
    }
}

/// What one client did in a session of its own, and what of it was acknowledged.
private struct Work: Sendable {
    /// A prompt with what came back of its answer.
    struct Prompt: Sendable {
        let text: String
        var messageID = ""
        var received = ""
    }

    /// A session into which all clients append.
    static let shared = "all"

    let session: String
    var hasBegun = false
    var appended: [String] = []
    var inShared: [String] = []
    /// An append that was sent and not acknowledged.
    var appending: String?
    var answered: [Prompt] = []
    /// A prompt that was sent and has no end.
    var open: Prompt?

    init(session: String) { self.session = session }

    /// Appends and prompts in turn until the connection breaks.
    mutating func go(on socket: String) {
        guard let client = try? TestClient(socket), (try? client.open(session)) != nil else { return }
        hasBegun = true
        var number = 0
        while number < 10_000 {
            number += 1
            do {
                if number.isMultiple(of: 3) {
                    let words =
                        number.isMultiple(of: 6) ? "count to 9 \(session).\(number)" : "\(session).\(number)"
                    try prompt(words, client)
                } else if number.isMultiple(of: 4) {
                    try append("\(session).\(number)", to: Work.shared, client)
                    inShared.append("\(session).\(number)")
                } else {
                    try append("\(session).\(number)", to: session, client)
                    appended.append("\(session).\(number)")
                }
            } catch { return }
        }
    }

    private mutating func append(_ words: String, to session: String, _ client: TestClient) throws {
        appending = words
        let answer = try client.call(
            "_convod/message/append",
            #"{"sessionId":"\#(session)","messages":[{"role":"user","content":[{"type":"text","text":"\#(words)"}]}]}"#
        )
        guard answer.result != nil else { throw Late(description: "refused: \(answer.message)") }
        appending = nil
    }

    private mutating func prompt(_ words: String, _ client: TestClient) throws {
        open = Prompt(text: words)
        let id = try client.startPrompt(session, words, #""requestId":"\#(words)""#)
        while true {
            let message = try client.next()
            if message["method"] == nil && message["id"]?.int == id {
                guard message["result"] != nil else { throw Late(description: "refused") }
                break
            }
            let update = message["params"]?["update"]
            guard update?["sessionUpdate"]?.string == "agent_message_chunk" else { continue }
            open?.received += update?["content"]?["text"]?.string ?? ""
            open?.messageID = update?["messageId"]?.string ?? ""
        }
        if let done = open { answered.append(done) }
        open = nil
    }

    /// What is wrong with the session on a daemon that was started again; [] is right.
    mutating func check(_ client: TestClient) throws -> [String] {
        var problems: [String] = []
        var stored = try Stored(session, client)
        if let prompt = open {
            if !prompt.received.isEmpty {
                let found = stored.messages.filter { $0.id == prompt.messageID }
                if found.count != 1 || !found[0].text.hasPrefix(prompt.received) {
                    problems.append("a cut answer lost what its client had: \(prompt), \(found)")
                }
            }
            problems += try repeated(prompt, client)
            stored = try Stored(session, client)
        }
        if let last = answered.last {
            let again = try client.prompt(session, last.text, #""requestId":"\#(last.text)""#)
            if again.extras?["messageId"]?.string != last.messageID {
                problems.append("a repeated request gave another turn: \(last), \(text(again.message.raw))")
            }
            stored = try Stored(session, client)
        }
        for words in appended where stored.count(words) != 1 {
            problems.append("append '\(words)' is there \(stored.count(words)) times")
        }
        if let words = appending, stored.count(words) > 1 { problems.append("append '\(words)' is doubled") }
        for prompt in answered {
            let places = stored.messages.indices.filter { stored.messages[$0].id == prompt.messageID }
            guard stored.count(prompt.text) == 1, places.count == 1 else {
                problems.append(
                    "prompt '\(prompt.text)' is there \(stored.count(prompt.text)) times, its answer \(places.count)"
                )
                continue
            }
            let answer = stored.messages[places[0]]
            if answer.text != prompt.received || answer.status != "complete" {
                problems.append("an answer changed: \(prompt), \(answer)")
            }
            if places[0] == 0 || stored.messages[places[0] - 1].text != prompt.text {
                problems.append("the answer to '\(prompt.text)' does not follow it")
            }
        }
        if stored.seqs != Array(1..<(stored.seqs.count + 1)) { problems.append("gaps in \(stored.seqs)") }
        let turns = try client.call("_convod/turn/list", #"{"sessionId":"\#(session)","open":true}"#)
        if turns.result?["turns"]?.count != 0 { problems.append("turns run: \(text(turns.message.raw))") }
        return problems
    }

    /// What is wrong with the session of all clients.
    static func checkShared(_ works: [Work], _ client: TestClient) throws -> [String] {
        let stored = try Stored(shared, client)
        var counts: [String: Int] = [:]
        for message in stored.messages { counts[message.text, default: 0] += 1 }
        let lost = works.flatMap(\.inShared).filter { counts[$0] == nil }
        let doubled = counts.filter { $0.value > 1 }.keys
        let gaps = stored.seqs == Array(1..<(stored.seqs.count + 1)) ? [] : ["gaps in \(stored.seqs)"]
        return lost.map { "'\($0)' is lost" } + doubled.map { "'\($0)' is doubled" } + gaps
    }

    /// Sends the cut prompt again; whatever became of it, it is there once and has one end.
    private func repeated(_ prompt: Prompt, _ client: TestClient) throws -> [String] {
        let again = try client.prompt(session, prompt.text, #""requestId":"\#(prompt.text)""#)
        let stored = try Stored(session, client)
        guard again.result != nil || again.kind == "interrupted" else {
            return ["a cut prompt came to \(text(again.message.raw))"]
        }
        let count = stored.count(prompt.text)
        return count == 1 || (count == 0 && again.result == nil)
            ? [] : ["the cut prompt '\(prompt.text)' is there \(count) times: \(text(again.message.raw))"]
    }
}

/// The messages of a session as the daemon lists them.
private struct Stored {
    struct Entry {
        let id: String
        let role: String
        let text: String
        let status: String
    }

    var messages: [Entry] = []
    var seqs: [Int] = []

    init(_ session: String, _ client: TestClient) throws {
        var cursor = ""
        while true {
            let page = try client.call(
                "_convod/message/list", #"{"sessionId":"\#(session)","limit":1000\#(cursor)}"#
            ).result
            for message in page?["messages"].map({ Array($0.elements) }) ?? [] {
                let words = message["content"]?.elements.compactMap { $0["text"]?.string }.joined() ?? ""
                seqs.append(message["seq"]?.int ?? 0)
                messages.append(
                    Entry(
                        id: message["id"]?.string ?? "", role: message["role"]?.string ?? "", text: words,
                        status: message["status"]?.string ?? ""))
            }
            guard let next = page?["nextCursor"]?.string else { return }
            cursor = #","cursor":"\#(next)""#
        }
    }

    /// How often a user said exactly this.
    func count(_ words: String) -> Int { messages.count { $0.role == "user" && $0.text == words } }
}

extension `A daemon that is killed` {
    @Test func `while it brings an old file up to this version goes on at the next start (N017)`() throws {
        var random = SeededRandom()
        let directory = try TemporaryDirectory(), path = directory.file("convod.db")
        let first = Files.directory(of: #filePath) + "/../../schema/migrations/v001_initial.sql"
        try shell(
            "sh", "-c",
            "sqlite3 \(path) < \(first) && sqlite3 \(path) 'PRAGMA application_id = 1131312740; PRAGMA user_version = 1'"
        )
        for _ in 0..<8 {
            let pid = try Process.start(
                Built.convod, ["--socket", directory.file("k.sock"), "--database", path],
                environment: Built.environment(directory))
            let moment = Machine.monotonic() + UInt64(random.int(0...50)) * 1_000_000
            try soon("the moment of the kill") { Machine.monotonic() >= moment }
            try Process.signal(pid, Signals.kill)
            _ = try Process.reap(pid)
            let version = try shell("sqlite3", path, "PRAGMA user_version; PRAGMA integrity_check")
            #expect(version.hasSuffix("\nok\n"), "\(random): \(version)")
        }
        let daemon = try RealDaemon(in: directory)
        try daemon.client().open("s")
        #expect(try daemon.client().prompt("s", "hello").result != nil)
        try daemon.stop()
        #expect(try daemon.sqlite("PRAGMA integrity_check") == "ok")
        #expect(try Int(daemon.sqlite("PRAGMA user_version")) ?? 0 > 1, "\(random)")
        let backup = path + ".v1.backup"
        if try Files.status(backup) != nil {
            #expect(try shell("sqlite3", backup, "PRAGMA integrity_check; PRAGMA user_version") == "ok\n1\n")
        }
    }
}
