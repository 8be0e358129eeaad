internal import ConvoClient
internal import JSON
internal import Posix
internal import TestSupport

/// The built `convod` as a process of its own, with its files in a directory that goes with it.
final class RealDaemon {
    /// How long anything may take, in milliseconds.
    private static let patience = 20_000

    /// An echo whose stop does not wait.
    static let standard = #"{ drain: "50ms", upstreams: { echo: { kind: "echo" } } }"#

    let directory: TemporaryDirectory
    let socket: String
    let database: String
    let environment: [String: String]
    private(set) var pid: Int32?
    private let command: [String]

    /// Starts a daemon and waits until its socket takes connections.
    ///
    /// `launcher` stands before the program, for a shell that sets limits; `database` may lie elsewhere.
    init(
        _ configuration: String = RealDaemon.standard, in directory: TemporaryDirectory? = nil,
        database: String? = nil, launcher: [String] = [], environment: [String: String] = [:]
    ) throws {
        let directory = try directory ?? TemporaryDirectory()
        self.directory = directory
        socket = directory.file("s.sock")
        self.database = database ?? directory.file("convod.db")
        self.environment = Built.environment(directory).merging(environment) { $1 }
        try Files.replace(directory.file("config.json5"), with: Array(configuration.utf8))
        command =
            launcher + [
                Built.convod, "--config", directory.file("config.json5"), "--socket", socket, "--database",
                self.database,
            ]
        try start()
    }

    deinit {
        guard let pid else { return }
        try? Process.signal(pid, Signals.kill)
        _ = try? Process.reap(pid)
    }

    /// Starts it again on its files.
    func start() throws {
        let log = try Files.open(directory.file("convod.log"), .appending)
        let started = try Process.start(
            command[0], Array(command.dropFirst()), environment: environment,
            streams: Process.Streams(output: log.raw, error: log.raw))
        pid = started
        try soon("the daemon takes connections: \(logged)") {
            if let ending = try Process.reap(started, isWaiting: false) {
                pid = nil
                throw Late(description: "the daemon ended with \(ending): \(logged)")
            }
            return (try? UnixSocket.connect(to: socket)) != nil
        }
    }

    /// Everything it wrote to standard error.
    var logged: String { (try? Files.read(directory.file("convod.log"))).map { text($0) } ?? "" }

    /// Sends a signal.
    func signal(_ number: Int32) throws { if let pid { try Process.signal(pid, number) } }

    /// Has it read another configuration.
    func reload(_ configuration: String) throws {
        func times() -> Int { logged.split(separator: "\n").count { $0.contains("event=reloaded") } }
        let before = times()
        try Files.replace(directory.file("config.json5"), with: Array(configuration.utf8))
        try signal(Signals.hangup)
        try soon("reloaded") { times() > before }
    }

    /// Waits for its end.
    func ended(milliseconds: Int = RealDaemon.patience) throws -> Process.Ending? {
        guard let pid else { return nil }
        var ending: Process.Ending?
        try soon("the daemon ends", milliseconds: milliseconds) {
            ending = try Process.reap(pid, isWaiting: false)
            return ending != nil
        }
        self.pid = nil
        return ending
    }

    /// Ends it with SIGTERM and waits for its end.
    @discardableResult
    func stop() throws -> Process.Ending? {
        try signal(Signals.terminate)
        return try ended()
    }

    /// Ends it with SIGKILL.
    func kill() throws {
        try signal(Signals.kill)
        _ = try ended()
    }

    /// A new connection.
    func client() throws -> TestClient { try TestClient(socket) }

    /// A field of `/proc/PID/status` in KiB, 0 when it is not there.
    func kibibytes(_ field: String) throws -> Int {
        guard let pid else { return 0 }
        for line in text(try Files.read("/proc/\(pid)/status")).split(separator: "\n")
        where line.hasPrefix(field + ":") {
            return Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) ?? 0
        }
        return 0
    }

    /// How many descriptors it has open.
    func descriptors() throws -> Int {
        guard let pid else { return 0 }
        return try shell("ls", "/proc/\(pid)/fd").split(separator: "\n").count
    }

    /// Whether a sanitizer's shadow makes figures about memory meaningless.
    var isSanitized: Bool { (try? kibibytes("VmSize")).map { $0 > 1 << 30 } ?? false }

    /// Processor time used so far by its threads, in nanoseconds (the kernel's Documentation/scheduler/sched-stats.rst).
    func processorTime() throws -> Int {
        guard let pid else { return 0 }
        let tasks = "/proc/\(pid)/task"
        return try Files.names(in: tasks).reduce(0) { sum, task in
            // A thread may end between the list and the look.
            let line = (try? Files.read("\(tasks)/\(task)/schedstat")).map { text($0) } ?? ""
            return sum + (line.split(separator: " ").first.flatMap { Int($0) } ?? 0)
        }
    }

    /// What the sqlite3 shell says to a statement.
    func sqlite(_ statement: String) throws -> String {
        let said = try shell("sqlite3", database, statement)
        return said.hasSuffix("\n") ? String(said.dropLast()) : said
    }
}

/// The programs that were built with the tests.
enum Built {
    /// Where other programs lie that are to be tested instead, such as the release build.
    static let others = Process.environment["CONVOD_PROGRAMS"].map { Files.absolute($0) }

    /// The directory that holds this test and the programs.
    static let directory: String = {
        if let others { return others }
        for start in [CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? "", Process.executable] {
            var directory = Files.directory(of: Files.absolute(start))
            while directory != "/" {
                if Files.isExecutable(directory + "/convod"),
                    (try? Files.status(directory + "/convod"))?.kind == .regular
                {
                    return directory
                }
                directory = Files.directory(of: directory)
            }
        }
        for argument in CommandLine.arguments {
            let directory = Files.directory(of: argument)
            if Files.isExecutable(directory + "/convod") { return directory }
        }
        preconditionFailure("'convod' lies in no directory above \(CommandLine.arguments)")
    }()

    static var convod: String { directory + "/convod" }
    static var convo: String { directory + "/convo" }

    /// An environment with nothing of the user's in it.
    static func environment(_ directory: TemporaryDirectory) -> [String: String] {
        let own = [
            "HOME": directory.path, "PATH": "/usr/bin:/bin", "OLLAMA_HOST": "127.0.0.1:9", "TERM": "dumb",
        ]
        return own.merging(TestDaemon.lateReads) { mine, _ in mine }
    }

    /// Runs one of the programs; `timeout` ends it when it hangs, with exit code 124.
    static func run(
        _ program: String, _ arguments: [String], environment: [String: String], input: String = ""
    ) throws -> (code: Int32, said: String) {
        let (ending, said) = try TestSupport.run(
            "/usr/bin/timeout", ["-k", "1", "30", program] + arguments, environment: environment, input: input
        )
        guard case .exited(let code) = ending else { return (-1, said) }
        return (code, said)
    }
}

/// What did not happen in time.
struct Late: Error, CustomStringConvertible { let description: String }

/// Waits until something holds, with a time limit.
func soon(_ what: @autoclosure () -> String, milliseconds: Int = 20_000, _ holds: () throws -> Bool) throws {
    let deadline = Machine.monotonic() + UInt64(milliseconds) * 1_000_000
    while try !holds() {
        guard Machine.monotonic() < deadline else {
            throw Late(description: "not in \(milliseconds) ms: \(what())")
        }
        _ = try System.wait(readable: [], milliseconds: 2)
    }
}

/// Whether somebody listens at a path.
///
/// A socket's file is there before it (bind, then listen), and a connection that tries would use up the one that some
/// listeners take: the kernel's own list tells it (proc(5), `__SO_ACCEPTCON`).
func isListenedTo(_ path: String) throws -> Bool {
    text(try Files.read("/proc/net/unix")).split(separator: "\n").contains { line in
        let fields = line.split(separator: " ")
        return fields.count == 8 && fields[7] == path && fields[3] == "00010000"
    }
}

/// Whether this user may mount a file system here.
let canMount: Bool = {
    guard let directory = try? TemporaryDirectory() else { return false }
    return withExtendedLifetime(directory) {
        guard (try? shell("mount", "-t", "tmpfs", "tmpfs", directory.path)) != nil else { return false }
        return (try? shell("umount", directory.path)) != nil
    }
}()

/// A command that runs beside the test, with what it says in a file.
struct Running {
    let pid: Int32
    private let path: String

    init(_ name: String, _ arguments: [String], _ home: Home) throws {
        path = home.directory.file(name)
        try Files.replace(path, with: [])
        let file = try Files.open(path, .appending)
        pid = try Process.start(
            Built.convo, arguments, environment: home.environment,
            streams: .init(output: file.raw, error: file.raw))
    }

    var said: String { get throws { text(try Files.read(path)) } }
}

extension Home {
    /// The process of its daemon, which runs.
    var daemonPID: Int32 {
        get throws { Int32(try Fixtures.json(try convo("status", "--json").said)["pid"]?.int ?? 0) }
    }

    /// Its daemon dies without a word.
    func killDaemon() throws { try Process.signal(try daemonPID, Signals.kill) }
}
