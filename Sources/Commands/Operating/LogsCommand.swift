internal import Conversation
internal import ConvoClient
internal import Posix

extension Option {
    fileprivate static let follow = Option(
        short: "f", long: "follow", help: "go on with what comes, until Ctrl-C")
    fileprivate static let number = Option(
        short: "n", long: "number", value: "N", help: "the last N lines (default 50, 0 for all)")
    static let since = Option(
        long: "since", value: "TIME", help: "from then on, as 30m, 8h, 1d or 2026-11-25")
}

extension Command {
    static let logs = Command(
        name: "logs", summary: "show the log of the daemon that convo started",
        options: [.follow, .number, .since],
        details: """
            A line is a time (UTC), a level (error, warning, notice, info), an event and what it is about; no word of a
            conversation is in it. A daemon under systemd logs to the journal: journalctl --user -u convod.
            """
    ) { invocation throws(CommandError) in
        let path = DaemonStarter(invocation.locator, environment: invocation.environment).log
        let bytes: [UInt8]
        do throws(PosixError) { bytes = try Files.read(path) } catch {
            throw CommandError(
                .failure,
                "cannot read '\(path)': \(error.reason); a daemon under systemd logs to the journal")
        }
        let since = try invocation.since()
        var lines = bytes.split(separator: 0x0A)
        if let since {
            // A time of this form sorts as it stands. What has none, as a start that failed, came before the line behind it.
            let start = Array(Timestamp.text(since).utf8)
            let changed = (try? Files.status(path, follows: true))?.modified  // it was read just now
            var isSince = changed.map { $0 * 1_000 >= since } ?? true
            lines = lines.reversed().filter { line in
                if line.first == 0x32 { isSince = !line.lexicographicallyPrecedes(start) }
                return isSince
            }.reversed()
        }
        let number = try invocation.arguments.number(.number) ?? (since == nil ? 50 : 0)
        for line in number == 0 ? lines[...] : lines.suffix(number) { print(line, invocation.console) }
        guard invocation.has(.follow) else { return .success }
        return try follow(path, from: bytes.count, invocation.console)
    }

    private static func print(_ line: ArraySlice<UInt8>, _ console: Console) {
        guard console.isOutputTerminal else { return console.write(Array(line) + [0x0A]) }
        let text = Console.harmless(String(decoding: line, as: UTF8.self))
        let level = text.split(separator: " ").dropFirst().first
        let style: Console.Style? = level == "error" ? .red : level == "warning" ? .yellow : nil
        console.print(style.map { console.styled(text, $0) } ?? text)
    }

    /// Milliseconds between two looks at a file.
    private static let pace: Int32 = 250

    private static func follow(_ path: String, from start: Int, _ console: Console) throws(CommandError)
        -> ExitCode
    {
        let interrupts = Interrupts()
        var offset = start, rest: [UInt8] = []
        while console.failure == nil {
            do throws(PosixError) {
                let watched = interrupts.map { [$0.descriptor] } ?? []
                if let source = try System.wait(readable: watched, milliseconds: pace).first {
                    return Signals.next(source) == Signals.terminate ? .terminated : .success
                }
                let size = Int(try Files.status(path, follows: true)?.size ?? 0)
                // Begun anew: a daemon writes its log from the beginning where it has grown too long.
                if size < offset { (offset, rest) = (0, []) }
                if size == offset { continue }
                rest += try Files.read(path).dropFirst(offset)
                offset = size
            } catch { throw CommandError(.failure, "cannot read '\(path)': \(error.reason)") }
            while let end = rest.firstIndex(of: 0x0A) {
                print(rest[..<end], console)
                rest.removeSubrange(...end)
            }
        }
        return .success
    }
}

extension Invocation {
    /// The time of `--since` in milliseconds since 1970; nil where it was not given.
    func since() throws(CommandError) -> Int64? { try time(.since) }

    /// The time that an option gives, in milliseconds since 1970; nil where it is not there.
    func time(_ option: Option) throws(CommandError) -> Int64? {
        guard let text = value(option) else { return nil }
        return try Invocation.time(text, of: "--\(option.long)")
    }

    /// A time as people give it, in milliseconds since 1970; `name` is what takes it.
    static func time(_ text: String, of name: String) throws(CommandError) -> Int64? {
        if let time = Timestamp.milliseconds(text) { return time }
        if let day = Timestamp.day(text) { return day * 86_400_000 }
        let units: [Character: Int64] = ["m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000]
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()),
            (0...1_000_000).contains(number)
        else {
            throw .usage(
                "\(name) takes a time ago as 30m, 8h, 1d or 2w, a day as 2026-11-25, or a time as 2026-11-25T06:00:00Z, not '\(text)'"
            )
        }
        return Machine.milliseconds() - number * unit
    }
}
