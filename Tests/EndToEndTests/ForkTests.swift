internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol
internal import TestSupport
internal import Testing

@Suite struct `A fork of a long session` {
    private static let messages =
        Process.environment["CONVOD_FORK_MESSAGES"].flatMap { Int($0) } ?? 100_000
    /// Enough to fill a window: what is older costs nothing.
    private static let short = 1_000
    private static let rounds = 50
    /// As many of the forks are worked on.
    private static let worked = 15
    /// Milliseconds of the processor that a fork may take beside what a commit takes.
    private static let bound = 5.0

    @Test func `costs what one of a short session costs, and so does everything on it`() throws {
        var random = SeededRandom()
        let daemon = try RealDaemon()
        try daemon.client().open("long")
        try daemon.client().open("short")
        try daemon.stop()
        try fill(daemon, "long", Self.messages)
        try fill(daemon, "short", Self.short)
        #expect(try daemon.sqlite("PRAGMA foreign_key_check") == "")
        try daemon.start()
        let bench = try Bench(daemon)

        var forks: [(number: Int, seq: Int)] = []
        for number in 0..<Self.rounds {
            try bench.interleaved("commit") { isLong in
                _ = try bench.client.call(
                    named: "_convod/session/set",
                    Array(#"{"sessionId":"\#(isLong ? "long" : "short")","title":"\#(number)"}"#.utf8))
            }
            let seq = random.int(Self.short...Self.messages)
            forks.append((number, seq))
            try bench.interleaved("fork") { isLong in
                let at = isLong ? try bench.id("long", seq) : try bench.id("short", Self.short)
                _ = try bench.client.call(
                    named: "session/fork",
                    Array(
                        #"{"sessionId":"\#(isLong ? "long" : "short")","cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"\#(Bench.fork(number, isLong))","messageId":"\#(at)"}}}"#
                            .utf8))
            }
        }
        #expect(
            try daemon.sqlite("SELECT count(*) FROM message") == "\(Self.messages + Self.short)", "\(random)")
        #expect(try daemon.sqlite("SELECT count(*) FROM branch") == "\(2 + 2 * Self.rounds)")
        for fork in forks.prefix(Self.worked) {
            try bench.interleaved("page of 20") { isLong in
                let page = try bench.client.call(
                    named: "_convod/message/list",
                    Array(#"{"sessionId":"\#(Bench.fork(fork.number, isLong))","last":20}"#.utf8))
                let newest = page["messages"]?.elements.compactMap { $0["seq"]?.int }.max()
                #expect(newest == (isLong ? fork.seq : Self.short), "\(random)")
            }
            try bench.on("preview", fork.number, "_convod/context/preview", Bench.prompt)
            try bench.on("prompt", fork.number, "session/prompt", Bench.prompt)
        }
        try changes(of: bench)
        bench.report()
        let own = bench.work("fork", isLong: true) - bench.work("commit", isLong: true)
        #expect(own < Self.bound || daemon.isSanitized, "\(random)")
        #expect(bench.grown() == [])
        #expect(try daemon.stop() == .exited(0))
        try checkStored(daemon)
    }

    /// Retries, edits and switches on the session itself and on forks of it.
    private func changes(of bench: Bench) throws {
        for number in 0..<Self.worked {
            try bench.on("retry", number, "_convod/turn/retry", "")
            try bench.on("edit", number, "_convod/turn/retry", Bench.prompt)
            try bench.interleaved("branches") { isLong in
                let fork = Bench.fork(number, isLong)
                let list = try bench.client.call(
                    named: "_convod/branch/list", Array(#"{"sessionId":"\#(fork)"}"#.utf8))
                bench.branches[fork] = list["branches"]?.elements.compactMap { $0["branch"]?.int }
            }
            try bench.interleaved("switch") { isLong in
                let fork = Bench.fork(number, isLong), branches = bench.branches[fork] ?? []
                try #require(branches.count == 3)
                _ = try bench.client.call(
                    named: "_convod/branch/switch",
                    Array(#"{"sessionId":"\#(fork)","branch":\#(branches[0])}"#.utf8))
            }
            try bench.interleaved("compare") { isLong in
                let fork = Bench.fork(number, isLong), branches = bench.branches[fork] ?? []
                _ = try bench.client.call(
                    named: "_convod/branch/compare",
                    Array(#"{"sessionId":"\#(fork)","branch":\#(branches[2])}"#.utf8))
            }
        }
        for _ in 0..<Self.worked {
            try bench.interleaved("retry at the source") { isLong in
                _ = try bench.client.call(
                    named: "_convod/turn/retry",
                    Array(#"{"sessionId":"\#(isLong ? "long" : "short")","upstream":"echo"}"#.utf8))
            }
        }
    }

    /// What `schema/README.md` says always holds.
    private func checkStored(_ daemon: RealDaemon) throws {
        #expect(try daemon.sqlite("PRAGMA integrity_check") == "ok")
        #expect(try daemon.sqlite("PRAGMA foreign_key_check") == "")
        #expect(
            try daemon.sqlite(
                """
                SELECT count(*) FROM branch b WHERE b.parent >= b.id OR b.fork_seq > 0 AND NOT EXISTS
                (SELECT 1 FROM message m WHERE m.key = (b.parent << 32 | b.fork_seq))
                """) == "0")
        #expect(
            try daemon.sqlite(
                """
                SELECT count(*) FROM session s JOIN branch b ON b.id = s.branch WHERE s.head > 0 AND NOT EXISTS
                (SELECT 1 FROM message m WHERE m.total = s.tokens
                  AND m.key = (iif(s.head > b.fork_seq, b.id, b.parent) << 32 | s.head))
                """) == "0")
    }

    /// Puts messages into an empty session of a daemon that is stopped.
    private func fill(_ daemon: RealDaemon, _ session: String, _ count: Int) throws {
        let script = """
            BEGIN;
            WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < \(count))
            INSERT INTO message (key, id, role, status, created_at, tokens, total, content)
            SELECT s.branch << 32 | n.seq,
                   CAST(x'\(Bench.start(session))' || printf('%07d', n.seq) AS BLOB),
                   CASE n.seq % 2 WHEN 1 THEN 1 ELSE 2 END, 0, s.created_at, 10, 10 * n.seq,
                   printf('[{"type":"text","text":"message %d"}]', n.seq)
              FROM n, session s WHERE s.name = '\(session)';
            UPDATE session SET head = \(count), tokens = 10 * \(count) WHERE name = '\(session)';
            COMMIT;
            """
        _ = try daemon.sqlite(script)
    }
}

/// Takes the time of the same request on a long and on a short session, in turns, and the daemon's work.
///
/// The work is what is bounded: what else the machine does adds to a time, whatever the request costs.
private final class Bench {
    let client: Client
    private let daemon: RealDaemon
    /// The branches of forks, as they were listed.
    var branches: [String: [Int]] = [:]
    private var names: [String] = []
    /// In milliseconds, as `works`.
    private var times: [String: [Double]] = [:]
    /// The daemon's processor time.
    private var works: [String: [Double]] = [:]

    init(_ daemon: RealDaemon) throws {
        self.daemon = daemon
        client = try Client(connectingTo: daemon.socket)
    }

    /// A prompt's members.
    static let prompt = #","prompt":[{"type":"text","text":"and now?"}]"#

    /// The session ID of a fork.
    static func fork(_ number: Int, _ isLong: Bool) -> String { "\(isLong ? "long" : "short")-\(number)" }

    /// The first nine bytes of the IDs of a session's messages, a UUID of version 7; seven digits follow.
    static func start(_ session: String) -> String {
        session == "long" ? "019a5a5a5a5a7a5a81" : "019a5a5a5a5a7a5a82"
    }

    /// The ID of a message that was put in.
    func id(_ session: String, _ seq: Int) throws -> String {
        let digits = String(repeating: "0", count: 7 - String(seq).count) + String(seq)
        let hex = Array(Bench.start(session) + digits.utf8.map { String($0, radix: 16) }.joined())
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(hex[$0]) }.joined(separator: "-")
    }

    /// Times `body` on the long and on the short session.
    func interleaved(_ name: String, _ body: (_ isLong: Bool) throws -> Void) throws {
        if !names.contains(name) { names.append(name) }
        for isLong in [true, false] {
            let used = try daemon.processorTime(), start = Machine.monotonic()
            try body(isLong)
            times[key(name, isLong), default: []].append(Double(Machine.monotonic() - start) / 1_000_000)
            works[key(name, isLong), default: []].append(
                Double(try daemon.processorTime() - used) / 1_000_000)
        }
    }

    /// Times one request on a fork.
    func on(_ name: String, _ number: Int, _ method: String, _ members: String) throws {
        try interleaved(name) { isLong in
            _ = try client.call(
                named: method, Array(#"{"sessionId":"\#(Bench.fork(number, isLong))"\#(members)}"#.utf8))
        }
    }

    private func key(_ name: String, _ isLong: Bool) -> String { "\(isLong ? "long" : "short") \(name)" }

    private static func median(_ values: [Double]?) -> Double {
        let sorted = values?.sorted() ?? []
        return sorted.isEmpty ? .infinity : sorted[sorted.count / 2]
    }

    /// The median of the daemon's work for a request, in milliseconds.
    func work(_ name: String, isLong: Bool) -> Double { Bench.median(works[key(name, isLong)]) }

    /// What costs more on the long session than on the short one.
    func grown() -> [String] {
        names.filter { work($0, isLong: true) > 2 * work($0, isLong: false) + 3 }
    }

    func report() {
        for name in names {
            let (long, short) = (key(name, true), key(name, false))
            print(
                "\(name): median \(Bench.median(times[long])) ms on the long session, \(Bench.median(times[short])) ms on the short one; work \(Bench.median(works[long])) ms, \(Bench.median(works[short])) ms"
            )
        }
    }
}
