internal import Glibc
internal import JSON
internal import Posix
internal import Protocol
internal import TestSupport
internal import Testing

@Suite struct `Watchers of one session` {
    private static let seconds =
        Process.environment["CONVOD_WATCH_SECONDS"].flatMap { Int($0) } ?? 600 / perSecond
    /// A debug build is slower by itself, and says nothing of delays when it is busy all the time.
    private static var perSecond: Int {
        #if DEBUG
            Built.others == nil ? 50 : 200
        #else
            200
        #endif
    }
    /// Beside other tests the disk is busy with their commits; a run of its own measures what users get.
    private static let durability = Process.environment["CONVOD_WATCH_SECONDS"] == nil ? "normal" : "full"
    private static let count = 64

    /// Milliseconds that the slowest hundredth of the chunks may take.
    private static var bound: Double {
        #if DEBUG
            Built.others == nil ? 60 : 20
        #else
            20
        #endif
    }

    /// Milliseconds by which the upstream's own writes may be late on a machine that has time for this test.
    private static let quiet = 3.0

    @Test(.tags(.manyClients))
    func `get every chunk once, in order and soon, though one of them never reads (B053, B133, N011)`()
        throws
    {
        // What else runs on this machine adds to a delay: the first run that is not disturbed counts.
        for _ in 0..<4 {
            let (slowest, lateness) = try run()
            if slowest < Self.bound { return }
            if lateness < Self.quiet {
                Issue.record("a hundredth took more than \(slowest) ms")
                return
            }
        }
        print("the watchers' delays say nothing: this machine was busy with other things")
    }

    /// One stream to all watchers; returns the slowest hundredth of the delays, and of the upstream's own lateness.
    private func run() throws -> (slowest: Double, lateness: Double) {
        let upstream = try PacedUpstream(chunks: Self.seconds * Self.perSecond, perSecond: Self.perSecond)
        let daemon = try RealDaemon(
            #"{ drain: "50ms", database: { durability: "\#(Self.durability)" }, upstreams: { paced: { kind: "openai", baseURL: "\#(upstream.base)", model: "m" } } }"#
        )
        try daemon.client().open("all")
        let stuck = try Watcher(daemon.socket, number: 1, reads: false)
        let watchers = try (0..<Self.count).filter { $0 != 1 }.map { try Watcher(daemon.socket, number: $0) }
        try settle(watchers)
        let before = try daemon.kibibytes("VmRSS")
        try watchers[0].send(
            #"{"jsonrpc":"2.0","id":2,"method":"session/prompt","params":{"sessionId":"all","prompt":[{"type":"text","text":"go"}]}}"#
        )
        try soon("the upstream is asked") { !upstream.starts.isEmpty }
        try read(watchers) { upstream.isDone && watchers.allSatisfy { $0.hasEnded } }
        let after = try daemon.kibibytes("VmRSS")
        let delays = try watchers.flatMap { try check($0, upstream) }.sorted()
        let half = delays[delays.count / 2], slowest = delays[delays.count * 99 / 100]
        print(
            "\(delays.count) chunks to \(watchers.count) watchers: p50 \(half) ms, p99 \(slowest) ms, upstream late by \(upstream.lateness) ms, \(before) KiB resident before, \(after) after"
        )
        #expect(after - before < 16 << 10 || daemon.isSanitized)
        try checkStuck(stuck, upstream)
        let isSanitized = daemon.isSanitized
        #expect(try daemon.stop() == .exited(0))
        return (isSanitized ? 0 : slowest, upstream.lateness)
    }

    /// Waits until all have joined.
    private func settle(_ watchers: [Watcher]) throws {
        try read(watchers) { watchers.allSatisfy { !$0.bytes.isEmpty } }
    }

    /// Takes what comes, on one thread, until `isDone` or for as long as the daemon may need.
    private func read(_ watchers: [Watcher], until isDone: () -> Bool) throws {
        let descriptors = watchers.map(\.descriptor)
        var byDescriptor: [Int32: Watcher] = [:]
        for watcher in watchers { byDescriptor[watcher.descriptor] = watcher }
        let deadline = Machine.monotonic() + UInt64(Self.seconds + 20) * 1_000_000_000
        while !isDone() {
            try #require(Machine.monotonic() < deadline, "not all was delivered in time")
            for fd in try System.wait(readable: descriptors, milliseconds: 200) {
                try #require(try byDescriptor[fd]?.take() ?? true, "the daemon closed a watcher that reads")
            }
        }
    }

    /// Holds what a watcher got against what was sent; returns the delays in milliseconds.
    private func check(_ watcher: Watcher, _ upstream: PacedUpstream) throws -> [Double] {
        var numbers: [Int] = [], delays: [Double] = []
        var offset = 0
        for (line, at) in watcher.lines {
            guard let chunk = AnswerChunk(try JSONDocument(line).root) else { continue }
            #expect(chunk.offset == offset)
            offset += chunk.text.utf8.count
            for (number, sent) in chunk.stamps {
                numbers.append(number)
                delays.append(Double(at - sent) / 1_000_000)
            }
        }
        #expect(numbers == Array(0..<upstream.chunks), "watcher \(watcher.number)")
        return delays
    }

    /// The one that never read: what waited for it was merged and is whole, or it is told why it is closed.
    private func checkStuck(_ watcher: Watcher, _ upstream: PacedUpstream) throws {
        var documents: [JSONView] = []
        func isClosing() -> Bool { documents.contains { $0["method"]?.string == "_convod/closing" } }
        func numbers() -> [Int] {
            documents.compactMap(AnswerChunk.init).flatMap { $0.stamps.map(\.number) }
        }
        try soon("the watcher that did not read has all, or is told why not") {
            _ = try System.wait(readable: [watcher.descriptor], milliseconds: 50)
            let isOpen = try watcher.take()
            documents = try watcher.lines.map { try JSONDocument($0.bytes).root }
            return !isOpen || isClosing() || numbers().count >= upstream.chunks
        }
        guard !isClosing() else { return }
        #expect(numbers() == Array(0..<upstream.chunks))
        print("the watcher that did not read got \(upstream.chunks) chunks in \(documents.count) lines")
        #expect(documents.count < upstream.chunks)
    }
}

/// A chunk of the answer as a client got it.
private struct AnswerChunk {
    let text: String
    let offset: Int

    init?(_ message: JSONView) {
        let update = message["params"]?["update"]
        guard update?["sessionUpdate"]?.string == "agent_message_chunk",
            let text = update?["content"]?["text"]?.string,
            let offset = update?["_meta"]?["convod"]?["offset"]?.int
        else { return nil }
        self.text = text
        self.offset = offset
    }

    /// The chunks of the upstream in it, each with the moment at which it was written.
    var stamps: [(number: Int, sent: UInt64)] {
        text.split(separator: ";").map { stamp in
            let halves = stamp.split(separator: " ")
            return (Int(halves.first ?? "") ?? -1, UInt64(halves.last ?? "") ?? 0)
        }
    }
}

/// A client that only looks; what it reads is noted with the moment, and understood later.
private final class Watcher {
    let number: Int
    private let socket: Descriptor
    private(set) var bytes: [UInt8] = []
    /// Where what was read at one moment ends.
    private var reads: [(end: Int, at: UInt64)] = []
    private(set) var hasEnded = false

    /// Joins the session by resuming it, or with an odd number by watching it.
    init(_ path: String, number: Int, reads: Bool = true) throws {
        self.number = number
        socket = try UnixSocket.connect(to: path)
        let ask =
            number.isMultiple(of: 2)
            ? #""session/resume","params":{"sessionId":"all","cwd":"/","mcpServers":[]}"#
            : #""_convod/watch","params":{"sessions":["all"]}"#
        try send(#"{"jsonrpc":"2.0","id":1,"method":\#(ask)}"#)
    }

    var descriptor: Int32 { socket.raw }

    func send(_ line: String) throws {
        let bytes = Array((line + "\n").utf8)
        var offset = 0
        while offset < bytes.count { offset += try System.send(socket.raw, bytes, from: offset) ?? 0 }
    }

    /// Takes what is there; false when the daemon has closed the connection.
    func take() throws -> Bool {
        let start = bytes.count
        guard let got = try System.read(socket.raw, into: &bytes, most: 64 << 10) else { return true }
        reads.append((bytes.count, Machine.monotonic()))
        // The news of the end stands in one write or two.
        if got > 0 && !hasEnded {
            hasEnded = bytes[max(0, start - Watcher.end.count)...].contains(Watcher.end)
        }
        return got > 0
    }

    private static let end = Array(#""state":"ended""#.utf8)

    /// Whole lines with the moment at which their last byte was read.
    var lines: [(bytes: [UInt8], at: UInt64)] {
        var out: [(bytes: [UInt8], at: UInt64)] = [], start = 0, index = 0
        for (place, byte) in bytes.enumerated() where byte == 0x0A {
            while reads[index].end <= place { index += 1 }
            out.append((Array(bytes[start..<place]), reads[index].at))
            start = place + 1
        }
        return out
    }
}

/// An upstream on loopback that answers one request with numbered chunks, each stamped with the moment of its write.
private final class PacedUpstream: Sendable {
    let chunks: Int
    private let port: UInt16
    private let listener: Int32
    private let began = Locked<[UInt64]>([])
    private let done = Locked(false)
    private let late = Locked<[UInt64]>([])
    private let thread: Locked<Thread?>

    init(chunks: Int, perSecond: Int) throws {
        self.chunks = chunks
        (listener, port) = listenOnLoopback()
        let fd = listener
        let began = began, done = done, late = late
        thread = Locked(
            try Thread(named: "test-paced") {
                while true {
                    let client = accept(fd, nil, nil)
                    guard client >= 0 else { return }
                    PacedUpstream.answer(client, chunks, perSecond, began, late)
                    close(client)
                    done.withLock { $0 = true }
                }
            })
    }

    var base: String { "http://127.0.0.1:\(port)/v1" }
    /// When it began to answer, for each request.
    var starts: [UInt64] { began.withLock { $0 } }
    /// Whether an answer was written to its end.
    var isDone: Bool { done.withLock { $0 } }

    /// By how many milliseconds the slowest hundredth of the writes came too late.
    var lateness: Double {
        let sorted = late.withLock { $0 }.sorted()
        return sorted.isEmpty ? .infinity : Double(sorted[sorted.count * 99 / 100]) / 1_000_000
    }

    deinit {
        _ = shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        if let thread = thread.withLock({ $0.take() }) { thread.join() }
    }

    private static func answer(
        _ client: Int32, _ chunks: Int, _ perSecond: Int, _ began: Locked<[UInt64]>, _ late: Locked<[UInt64]>
    ) {
        var request: [UInt8] = []
        while !request.contains(Array("\"stream\":true".utf8)) {
            guard let got = try? System.read(client, into: &request, most: 65_536), got > 0 else { return }
        }
        let start = Machine.monotonic()
        began.withLock { $0.append(start) }
        write(client, ScriptedUpstream.head)
        for number in 0..<chunks {
            let due = start + UInt64(number) * 1_000_000_000 / UInt64(perSecond)
            while case let now = Machine.monotonic(), now < due {
                _ = try? System.wait(readable: [], milliseconds: Int32((due - now) / 1_000_000 + 1))
            }
            let now = Machine.monotonic()
            late.withLock { $0.append(now - due) }
            write(client, ScriptedUpstream.chunk(#"{"content":"\#(number) \#(now);"}"#))
        }
        write(
            client,
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
    }

    private static func write(_ fd: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            guard let sent = try? System.send(fd, bytes, from: offset) else { return }
            offset += sent
        }
    }
}
