internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

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
            beside its end. Each append is a turn of two messages, on the disk when it is answered. With --running its
            prompts are the user's own: they cost money with an upstream that does, and count in usage and quotas.
            """
    ) { invocation throws(CommandError) in
        let plan = try BenchPlan(invocation)
        if !invocation.has(.running),
            let other = [Option.config, .database, .socket].first(where: invocation.has)
        {
            throw .usage("--\(other.long) goes with --running: a daemon of its own has its own")
        }
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
enum BenchKind: String, CaseIterable, Sendable {
    case append, last, list, search, prompt
}

/// What is asked, how often, by how many and for how long.
struct BenchPlan: Sendable {
    let clients: Int
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
        } catch {
            let problem = CommandError(error)
            let names =
                clients == 1 ? "session '\(name)-0'" : "sessions '\(name)-0' to '\(name)-\(clients - 1)'"
            throw CommandError(
                problem.code,
                "\(problem.message); its \(names) stay where they were made, until 'convo purge' takes them"
            )
        }
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
