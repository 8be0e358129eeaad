internal import Posix

/// Starts `convod` for a client that found none running.
package struct DaemonStarter: Sendable {
    private static let patience = 10_000  // milliseconds until a start counts as failed
    private static let grace = 500  // milliseconds for the winner of a race to write its lock file
    private static let longestLog: Int64 = 4 << 20

    private let locator: DaemonLocator
    private let environment: [String: String]

    /// Prepares a start; `environment` is what the daemon will have.
    package init(_ locator: DaemonLocator, environment: [String: String]) {
        self.locator = locator
        self.environment = environment
    }

    /// Where the log of a started daemon lies.
    package var log: String { locator.locations.log }

    /// Connects, starting a daemon when none runs; several that do so at once all get the same daemon.
    package func connect() throws(ClientError) -> Client {
        do { return try locator.connect() } catch {
            switch error.code {
            case .remote, .untrusted: throw error
            default:
                // One of one's own would not be the one that is meant.
                if let problem = locator.forbidden { throw ClientError(.cannotConnect, problem) }
                return try start()
            }
        }
    }

    /// Starts a daemon and waits until it, or one that was faster, can be connected to.
    private func start() throws(ClientError) -> Client {
        let program = try executable()
        let mark = try prepareLog()
        let child = try spawn(program)
        let start = Machine.monotonic()
        func elapsed() -> Int { Int((Machine.monotonic() - start) / 1_000_000) }
        var endedAt: Int?
        while elapsed() < DaemonStarter.patience {
            if let client = try? locator.connect() { return client }
            if endedAt == nil, (try? Process.reap(child, isWaiting: false)) != nil { endedAt = elapsed() }
            if let endedAt, elapsed() - endedAt > DaemonStarter.grace, !isSomeoneElseRunning(child) {
                throw ClientError(
                    .cannotStart, "convod ended at its start: \(lastLine(after: mark)); its log is '\(log)'")
            }
            _ = try? System.wait(readable: [], milliseconds: elapsed() < 100 ? 2 : 15)
        }
        if let problem = locator.unreachable { throw ClientError(.cannotStart, problem) }
        throw ClientError(
            .cannotStart,
            "convod does not answer at '\(locator.socket)' after \(DaemonStarter.patience / 1000) s; its log is '\(log)'"
        )
    }

    /// Whether another process has the database, so that it is worth waiting for: it has just started, or its socket was
    /// removed and it makes a new one.
    private func isSomeoneElseRunning(_ child: Int32) -> Bool {
        guard let holder = locator.holder ?? locator.lockOwner()?.pid, holder != child else { return false }
        // One that listens elsewhere will not come here.
        guard let owner = locator.lockOwner() else { return true }
        return locator.namedSocket ?? owner.socket == owner.socket
    }

    /// `convod` beside this program, else in `PATH`.
    package func executable() throws(ClientError) -> String {
        let beside = Files.directory(of: Process.executable)
        let own = beside + "/convod"
        if Files.isProgram(own) { return own }
        if let path = Files.program("convod", path: environment["PATH"]) { return path }
        throw ClientError(
            .cannotStart,
            "no daemon runs and 'convod' is neither in '\(beside)' nor in PATH; install it there")
    }

    /// Makes the log's directory, puts a large log aside, and returns where new lines will begin.
    private func prepareLog() throws(ClientError) -> Int64 {
        let directory = Files.directory(of: log)
        do { try Files.makeDirectories(directory) } catch {
            throw ClientError(
                .cannotStart,
                "cannot make directory '\(directory)' for the daemon's log (\(error.reason)); give a home that can be written to, or set XDG_STATE_HOME"
            )
        }
        guard let status = try? Files.status(log) else { return 0 }
        guard status.size > DaemonStarter.longestLog else { return status.size }
        try? Files.rename(log, to: log + ".1")
        return 0
    }

    /// Has `convod` look at its configuration, without starting it; what a daemon would lack, a sentence each.
    @discardableResult package func check() throws(ClientError) -> [String] {
        // What it only warns of does not keep a daemon from running.
        let (ending, mark) = try look(["--check"])
        if ending == .exited(2) { throw ClientError(.cannotStart, lastLine(after: mark)) }
        let start = "warning: "
        return lines(after: mark).map(DaemonStarter.untimed).filter { $0.hasPrefix(start) }
            .map { String($0.dropFirst(start.count)) }
    }

    /// Has `convod` look at a copy of a database from one end to the other; what is wrong with it, nil for nothing.
    package func problem(ofCopy path: String) throws(ClientError) -> String? {
        let (ending, mark) = try look(["--check-copy", path])
        return ending == .exited(0) ? nil : lastLine(after: mark)
    }

    /// Runs `convod` to its end for what it looks at; where its lines in the log begin.
    private func look(_ arguments: [String]) throws(ClientError) -> (ending: Process.Ending?, mark: Int64) {
        let program = try executable()
        let mark = try prepareLog()
        let child = try spawn(program, arguments)
        do { return (try Process.reap(child, isWaiting: true), mark) } catch {
            throw ClientError(.cannotStart, "cannot start '\(program)': \(error.description)")
        }
    }

    private func spawn(_ program: String, _ more: [String] = []) throws(ClientError) -> Int32 {
        var arguments = more
        if let path = locator.flags.configuration { arguments += ["--config", path] }
        if let path = locator.flags.socket { arguments += ["--socket", path] }
        if let path = locator.flags.database { arguments += ["--database", path] }
        do {
            let file = try Files.openOwn(log, .appending)
            // It is nobody's service.
            return try Process.start(
                program, arguments,
                environment: environment.filter { !Process.managerVariables.contains($0.key) },
                streams: Process.Streams(output: more.isEmpty ? file.raw : nil, error: file.raw),
                directory: "/",
                isDetached: true)
        } catch { throw ClientError(.cannotStart, "cannot start '\(program)': \(error.description)") }
    }

    /// Why there is nothing in the log.
    private func silence() -> String {
        do throws(PosixError) {
            let file = try Files.openOwn(log, .appending)
            _ = try System.write(file.raw, [0x0A])
            return "it said nothing"
        } catch { return "and its log takes no writing: \(error.reason)" }
    }

    /// What came to the log behind a mark; nothing where it cannot be read.
    private func lines(after mark: Int64) -> [String] {
        let bytes = (try? Files.read(log)) ?? []
        return bytes.dropFirst(min(bytes.count, Int(mark))).split { $0 == 0x0A || $0 == 0x0D }
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// A line of the log without the time and the level before a sentence.
    private static func untimed(_ line: String) -> String {
        let words = line.split(separator: " ", maxSplits: 2)
        let isTimed = words.count == 3 && words[0].hasSuffix("Z") && words[0].first == "2"
        guard isTimed, words[2].hasPrefix("convod: ") || words[2].hasPrefix("warning: ") else { return line }
        return String(words[2])
    }

    private func lastLine(after mark: Int64) -> String {
        guard let line = lines(after: mark).last.map(DaemonStarter.untimed) else { return silence() }
        return line.hasPrefix("convod: ") ? String(line.dropFirst(8)) : line
    }
}
