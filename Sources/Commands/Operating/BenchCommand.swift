internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol
internal import Typesetting

extension Option {
    fileprivate static let clients = Option(
        short: "c", long: "clients", value: "N", help: "so many at once, from 1 to 256; 8 by default")
    fileprivate static let mix = Option(
        long: "mix", value: "KIND=N,…",
        help: "how often each is asked: append, last, list, search, prompt; append=1 by default")
    fileprivate static let rate = Option(
        long: "rate", value: "N",
        help: "so many requests a second over all clients; as fast as they come by default")
    fileprivate static let running = Option(
        long: "running", help: "against the daemon that runs; its sessions are purged at the end")
    fileprivate static let seconds = Option(
        long: "seconds", value: "N", help: "for so long, from 1 to 3,600; 5 by default")
}

extension Command {
    static let bench = Command(
        name: "bench", summary: "measure requests a second and how long each takes",
        options: [.clients, .json, .mix, .rate, .running, .seconds],
        details: """
            Without --running it starts a daemon of its own, in a directory that goes with it, on the built-in echo upstream.
            With --rate a request that begins late counts from when it should have begun. A prompt's first chunk is told
            beside its end. Each append is a turn of two messages, on the disk when it is answered.
            """
    ) { invocation throws(CommandError) in
        let plan = try BenchPlan(invocation)
        // What it made goes with it, however it ends.
        let signals: Descriptor
        do throws(PosixError) {
            signals = try Signals.descriptor(for: [Signals.interrupt, Signals.terminate, Signals.hangup])
        } catch { throw CommandError(.failure, "cannot wait for signals: \(error.description)") }
        guard invocation.has(.running) else {
            let own = try BenchDaemon(invocation.environment)
            defer { own.remove() }
            return try plan.run(
                at: own.socket, signals.raw, invocation.console, isJSON: invocation.has(.json))
        }
        let identity = try invocation.connected().identity
        return try plan.run(
            at: identity.socket, signals.raw, invocation.console, isJSON: invocation.has(.json))
    }
}

/// A kind of request that is measured.
private enum BenchKind: String, CaseIterable, Sendable {
    case append, last, list, search, prompt
}

/// What is asked, how often, by how many and for how long.
private struct BenchPlan: Sendable {
    private let clients: Int
    private let seconds: Int
    /// Requests a second over all clients; nil for as fast as they come.
    private let rate: Int?
    private let mix: [(kind: BenchKind, weight: Int)]

    init(_ invocation: Invocation) throws(CommandError) {
        func number(_ option: Option, _ standard: Int, _ range: ClosedRange<Int>) throws(CommandError) -> Int
        {
            let value = try invocation.arguments.number(option) ?? standard
            guard range.contains(value) else {
                throw .usage(
                    "--\(option.long) takes a number from \(range.lowerBound) to \(Times.number(range.upperBound)), not '\(value)'"
                )
            }
            return value
        }
        clients = try number(.clients, 8, 1...256)
        seconds = try number(.seconds, 5, 1...3_600)
        rate = invocation.has(.rate) ? try number(.rate, 1, 1...1_000_000) : nil
        var mix: [(kind: BenchKind, weight: Int)] = []
        for part in (invocation.value(.mix) ?? "append=1").split(separator: ",") {
            let words = part.split(separator: "=", maxSplits: 1)
            let weight = words.count == 2 ? Int(words[1]) : 1
            guard let kind = BenchKind(rawValue: String(words[0])), let weight, (1...1_000).contains(weight)
            else {
                throw .usage(
                    "--mix takes \(BenchKind.allCases.map(\.rawValue).joined(separator: ", ")), each with '=' and a number from 1 to 1,000, not '\(part)'"
                )
            }
            mix.append((kind, weight))
        }
        guard !mix.isEmpty else { throw .usage("--mix names no kind of request") }
        self.mix = mix
    }

    /// `signals` is a descriptor as `Signals.descriptor` makes it; the first one ends it early.
    func run(at socket: String, _ signals: Int32, _ console: Console, isJSON: Bool) throws(CommandError)
        -> ExitCode
    {
        let name = "bench-" + Machine.random(5).map { String($0, radix: 36) }.joined()
        let results = Locked([BenchResult]()), isOver = Locked(false)
        let start = Machine.monotonic() + 100_000_000
        var threads: [BenchThread] = []
        for number in 0..<clients {
            do throws(PosixError) {
                threads.append(
                    try BenchThread {
                        let result = BenchClient(socket, "\(name)-\(number)", self, number).run(
                            from: start, until: isOver)
                        results.change { $0.append(result) }
                    })
            } catch { throw CommandError(.failure, "cannot start client \(number + 1): \(error.reason)") }
        }
        var signal: Int32?
        while signal == nil, results.withLock({ $0.count }) < clients {
            _ = try? System.wait(readable: [signals], milliseconds: 20)
            signal = Signals.next(signals)
        }
        if signal != nil { isOver.withLock { $0 = true } }
        for thread in threads { thread.join() }
        let all = results.withLock { $0 }
        try clean(socket, name)
        let report = BenchReport(all, seconds: seconds, clients: clients, rate: rate)
        if let signal { return Interrupts.code(of: signal) }
        if isJSON { console.print(json: report) } else { report.print(on: console) }
        if let problem = all.compactMap(\.problem).first { Console.complain(problem) }
        return report.errors == 0 ? .success : .failure
    }

    /// Takes the sessions away that were made for it.
    private func clean(_ socket: String, _ name: String) throws(CommandError) {
        do throws(ClientError) {
            let client = try Client(connectingTo: socket)
            for number in 0..<clients {
                let params = JSONWriter.object { $0.member("sessionId", "\(name)-\(number)") }
                // One that only looked has none.
                _ = try? client.call(Method.SessionPurge.self, params)
            }
        } catch { throw CommandError(error) }
    }

    /// What a client asks next; `dice` is any number.
    func kind(_ dice: UInt64) -> BenchKind {
        var rest = Int(dice % UInt64(mix.reduce(0) { $0 + $1.weight }))
        for (kind, weight) in mix {
            if rest < weight { return kind }
            rest -= weight
        }
        return mix[0].kind
    }

    var end: UInt64 { UInt64(seconds) * 1_000_000_000 }
    /// Nanoseconds between two requests of one client; nil for as fast as they come.
    var pause: UInt64? { rate.map { UInt64(clients) * 1_000_000_000 / UInt64($0) } }
}

/// What one client measured, in microseconds.
private struct BenchResult: Sendable {
    var samples: [BenchKind: [Int]] = [:]
    /// From a prompt to its first chunk.
    var first: [Int] = []
    var errors = 0
    /// What the first error said.
    var problem: String?
}

/// A thread that is waited for.
private final class BenchThread {
    private var thread: Thread?

    init(_ body: @escaping @Sendable () -> Void) throws(PosixError) {
        thread = try Thread(named: "bench", body)
    }

    func join() { thread.take()?.join() }
}

/// One client, on a thread of its own.
private final class BenchClient {
    private static let words =
        "The quick brown fox jumps over the lazy dog, and nobody knows why; 敏捷的棕色狐狸跳过了懒狗。 "

    private let socket: String
    private let session: String
    private let plan: BenchPlan
    private var dice: UInt64
    private var result = BenchResult()

    init(_ socket: String, _ session: String, _ plan: BenchPlan, _ number: Int) {
        self.socket = socket
        self.session = session
        self.plan = plan
        dice = UInt64(number + 1) &* 0x9E37_79B9_7F4A_7C15
    }

    func run(from start: UInt64, until isOver: Locked<Bool>) -> BenchResult {
        do throws(ClientError) {
            let client = try Client(connectingTo: socket)
            try begin(client)
            var next = start
            while next < start + plan.end, !isOver.withLock({ $0 }) {
                let now = Machine.monotonic()
                // What is left of a millisecond goes by at once.
                if now < next {
                    // A pause of an hour is looked up from now and then.
                    let pause = min((next - now) / 1_000_000, 100)
                    _ = try? System.wait(readable: [], milliseconds: Int32(pause))
                    if pause == 100 { continue }
                    while Machine.monotonic() < next {}
                }
                // A request that begins late is late for who wanted it.
                let began = plan.pause == nil ? Machine.monotonic() : next
                if Machine.monotonic() >= start + plan.end { break }
                try ask(client, began)
                next = plan.pause.map { next + $0 } ?? Machine.monotonic()
            }
        } catch {
            result.errors += 1
            result.problem = result.problem ?? error.description
        }
        return result
    }

    /// Makes the session, with something in it to read.
    private func begin(_ client: Client) throws(ClientError) {
        for _ in 0..<10 { try append(client) }
    }

    private func ask(_ client: Client, _ began: UInt64) throws(ClientError) {
        dice ^= dice << 13
        dice ^= dice >> 7
        dice ^= dice << 17
        let kind = plan.kind(dice)
        var first: UInt64?
        do throws(ClientError) {
            switch kind {
            case .append: try append(client)
            case .last:
                _ = try client.call(
                    named: Method.messageList.rawValue,
                    JSONWriter.object {
                        $0.member("sessionId", session); $0.member("last", 20)
                    })
            case .list:
                _ = try client.call(
                    named: Method.sessionFind.rawValue, JSONWriter.object { $0.member("limit", 50) })
            case .search:
                _ = try client.call(
                    named: Method.search.rawValue,
                    JSONWriter.object {
                        $0.member("query", "fox"); $0.member("limit", 20)
                    })
            case .prompt:
                let params = JSONWriter.object {
                    $0.member("sessionId", session)
                    $0.key("prompt")
                    $0.array {
                        $0.object {
                            $0.member("type", "text"); $0.member("text", "hello")
                        }
                    }
                }
                _ = try client.call(named: Method.sessionPrompt.rawValue, params) { event in
                    guard case .notification(_, let params?) = event,
                        params["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
                    else { return }
                    first = first ?? Machine.monotonic()
                }
            }
        } catch {
            guard case .remote = error.code else { throw error }
            result.errors += 1
            result.problem = result.problem ?? error.description
            return
        }
        func microseconds(_ end: UInt64) -> Int { Int((end - began) / 1_000) }
        result.samples[kind, default: []].append(microseconds(Machine.monotonic()))
        if let first { result.first.append(microseconds(first)) }
    }

    private func append(_ client: Client) throws(ClientError) {
        let params = JSONWriter.object {
            $0.member("sessionId", session)
            $0.member("ifMissing", "create")
            $0.key("messages")
            $0.array { messages in
                for role in ["user", "assistant"] {
                    messages.object {
                        $0.member("role", role)
                        $0.key("content")
                        $0.array {
                            $0.object {
                                $0.member("type", "text"); $0.member("text", BenchClient.words)
                            }
                        }
                    }
                }
            }
        }
        _ = try client.call(named: Method.messageAppend.rawValue, params)
    }
}

/// What came of it, and how it is told.
private struct BenchReport: JSONWritable {
    private struct Line {
        let name: String
        /// In microseconds, sorted.
        let samples: [Int]

        func at(_ share: Double) -> Int {
            samples.isEmpty ? 0 : samples[min(samples.count - 1, Int(share * Double(samples.count)))]
        }
    }

    private let seconds: Int
    private let clients: Int
    private let rate: Int?
    private var lines: [Line] = []
    private var first: Line?
    let errors: Int

    init(_ results: [BenchResult], seconds: Int, clients: Int, rate: Int?) {
        (self.seconds, self.clients, self.rate) = (seconds, clients, rate)
        errors = results.reduce(0) { $0 + $1.errors }
        for kind in BenchKind.allCases {
            let samples = results.flatMap { $0.samples[kind] ?? [] }.sorted()
            if !samples.isEmpty { lines.append(Line(name: kind.rawValue, samples: samples)) }
        }
        let first = results.flatMap(\.first).sorted()
        if !first.isEmpty { self.first = Line(name: "prompt, first chunk", samples: first) }
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("seconds", seconds)
            writer.member("clients", clients)
            writer.optional("rate", rate)
            writer.member("errors", errors)
            writer.key("kinds")
            writer.array { writer in
                for line in lines {
                    writer.object {
                        $0.member("kind", line.name)
                        $0.member("requests", line.samples.count)
                        $0.key("perSecond")
                        $0.double(Double(line.samples.count) / Double(seconds))
                        BenchReport.write(line, "microseconds", to: &$0)
                        if line.name == BenchKind.prompt.rawValue, let first {
                            BenchReport.write(first, "firstChunkMicroseconds", to: &$0)
                        }
                    }
                }
            }
        }
    }

    private static func write(_ line: Line, _ name: String, to writer: inout JSONWriter) {
        writer.member(name) {
            $0.member("p50", line.at(0.5))
            $0.member("p90", line.at(0.9))
            $0.member("p99", line.at(0.99))
            $0.member("max", line.samples.last ?? 0)
        }
    }

    func print(on console: Console) {
        var table = Table([
            Table.Column(title: "REQUEST", isFlexible: true), Table.Column(title: "A SECOND", isRight: true),
            Table.Column(title: "P50", isRight: true), Table.Column(title: "P90", isRight: true),
            Table.Column(title: "P99", isRight: true), Table.Column(title: "MAX", isRight: true),
        ])
        for line in lines + (first.map { [$0] } ?? []) {
            table.add([
                line.name, Times.number(line.samples.count / seconds), BenchReport.time(line.at(0.5)),
                BenchReport.time(line.at(0.9)), BenchReport.time(line.at(0.99)),
                BenchReport.time(line.samples.last ?? 0),
            ])
        }
        table.print(on: console)
        if console.isOutputTerminal { plot(on: console) }
        let wanted = rate.map { ", \(Times.number($0)) requests a second wanted" } ?? ""
        console.note(
            "\(Times.count(clients, "client")), \(seconds) s\(wanted), \(Times.count(errors, "error"))")
    }

    /// How many took how long, by doubling times.
    private func plot(on console: Console) {
        let all = lines.flatMap(\.samples)
        var counts: [Int: Int] = [:]
        for sample in all { counts[Int.bitWidth - max(1, sample).leadingZeroBitCount, default: 0] += 1 }
        guard let least = counts.keys.min(), let most = counts.keys.max() else { return }
        let highest = counts.values.max() ?? 1, room = max(10, min(60, console.columns - 20))
        console.print("")
        for step in least...most {
            let count = counts[step] ?? 0
            let bar = TextWidth.bar(eighths: count * room * 8 / highest)
            let name = TextWidth.padded("< \(BenchReport.time(1 << step))", to: 10)
            console.print("\(name) \(bar)\(count > 0 && bar.isEmpty ? "▏" : "")")
        }
    }

    private static func time(_ microseconds: Int) -> String {
        if microseconds < 1_000 { return "\(microseconds) µs" }
        let tenths = microseconds / 100
        if tenths < 1_000 { return "\(tenths / 10).\(tenths % 10) ms" }
        return microseconds < 1_000_000 ? "\(microseconds / 1_000) ms" : "\(microseconds / 1_000_000) s"
    }
}

/// A daemon that is there to be measured, and goes with all that it made.
private final class BenchDaemon {
    let socket: String
    private let directory: String
    private let pid: Int32
    private let locator: DaemonLocator

    init(_ environment: [String: String]) throws(CommandError) {
        let base =
            environment["TMPDIR"].flatMap { $0.hasPrefix("/") && $0.utf8.count < 60 ? $0 : nil } ?? "/tmp"
        directory = base + "/convo-bench-" + Machine.random(6).map { String($0, radix: 36) }.joined()
        socket = directory + "/s.sock"
        var own = environment
        for name in ["CONVOD_CONFIG", "CONVOD_SOCKET", "CONVOD_DATABASE"] { own[name] = nil }
        own["XDG_STATE_HOME"] = directory
        do throws(PosixError) {
            try Files.makeDirectories(directory)
            let configuration = #"{ upstreams: { echo: { kind: "echo" } } }"#
            try Files.replace(directory + "/config.json5", with: Array(configuration.utf8))
        } catch { throw CommandError(.failure, "cannot make '\(directory)': \(error.reason)") }
        locator = DaemonLocator(
            flags: DaemonLocator.Flags(
                configuration: directory + "/config.json5", socket: socket, database: directory + "/c.db"),
            environment: own)
        do throws(ClientError) {
            pid = try DaemonStarter(locator, environment: own).connect().peer.pid
        } catch { throw CommandError(error) }
    }

    func remove() {
        _ = try? Process.signal(pid, Signals.terminate)  // one that ended by itself is gone
        let deadline = Machine.monotonic() + 20_000_000_000
        while !locator.isLockFree(), Machine.monotonic() < deadline {
            _ = try? System.wait(readable: [], milliseconds: 10)
        }
        // What cannot be removed is in a directory for what is temporary.
        for path in ["", "/convod"] {
            for name in (try? Files.names(in: directory + path)) ?? [] {
                try? Files.remove(directory + path + "/" + name)
            }
        }
        try? Files.removeDirectory(directory + "/convod")
        try? Files.removeDirectory(directory)
    }
}
