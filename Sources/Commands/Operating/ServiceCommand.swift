internal import ConvoClient
internal import Posix
internal import Protocol
internal import Schema

extension Command {
    static let service = Command(
        name: "service", summary: "have systemd keep the daemon, for this user",
        arguments: "install|uninstall|status", count: 1...1,
        details: """
            install puts a socket and a service into the user's systemd, which starts the daemon with the first client and
            anew where it fails, and keeps its log in the journal; uninstall takes both away again. Conversations,
            configuration and keys stay where they are. A user's systemd ends with the last session: to keep answers
            running after that, and the daemon there from the start of the machine, let it linger:
              loginctl enable-linger
            """
    ) { invocation throws(CommandError) in
        let service = UserService(invocation)
        switch invocation.positionals[0] {
        case "install": return try service.install()
        case "uninstall": return try service.uninstall()
        case "status": return try service.status()
        case let other: throw .usage("'\(other)' means nothing here: install, uninstall and status do")
        }
    }
}

/// The daemon as a service of the user's systemd.
private struct UserService {
    private static let socketUnit = "convod.socket", serviceUnit = "convod.service"

    private let invocation: Invocation
    private let systemctl: Systemctl
    private let directory: String

    init(_ invocation: Invocation) {
        self.invocation = invocation
        let environment = invocation.environment
        systemctl = Systemctl(environment)
        directory = invocation.locator.locations.userUnits
    }

    private func path(_ unit: String) -> String { directory + "/" + unit }

    /// Whether a unit is in the user's own directory; what the system brings is elsewhere.
    private func isInstalled(_ unit: String) throws(CommandError) -> Bool {
        do { return try Files.status(path(unit)) != nil } catch {
            throw CommandError(.failure, "cannot look at '\(path(unit))': \(error.reason)")
        }
    }

    /// Whether an installation left anything: one that was broken off may have left one unit.
    private func isAnyInstalled() throws(CommandError) -> Bool { try !installed().isEmpty }

    /// The units that are there, the socket's first; systemctl refuses names of others.
    private func installed() throws(CommandError) -> [String] {
        var found: [String] = []
        for unit in [UserService.socketUnit, UserService.serviceUnit] where try isInstalled(unit) {
            found.append(unit)
        }
        return found
    }

    // MARK: What is asked for

    func install() throws(CommandError) -> ExitCode {
        let starter = DaemonStarter(invocation.locator, environment: invocation.environment)
        let program: String
        do throws(ClientError) {
            program = try starter.executable()
            // One that could not start would only be started again and again.
            try starter.check()
        } catch { throw CommandError(.failure, error.description) }
        // systemd takes no quoting in a program's path (systemd.service(5), COMMAND LINES).
        if let character = program.first(where: { "'\"\\$".contains($0) }) {
            throw CommandError(
                .failure,
                "systemd starts no program whose path has \(character), as '\(program)' has: put convod somewhere else"
            )
        }
        try systemctl.mustRun()
        let units = UserUnits(
            program: program, flags: named, socket: invocation.locator.socket,
            runtimeDirectory: invocation.environment["XDG_RUNTIME_DIR"])
        // Who has the socket now makes room: systemd with what was installed before, or a daemon without it.
        if try isAnyInstalled() {
            for unit in try installed() { try systemctl.run("stop", unit) }
        }
        let hadOne = try Command.stop(invocation)
        do throws(PosixError) {
            try Files.makeDirectories(directory)
            try write(units.socket, as: UserService.socketUnit)
            try write(units.service, as: UserService.serviceUnit)
        } catch { throw CommandError(.failure, "cannot write to '\(directory)': \(error.reason)") }
        try systemctl.run("daemon-reload")
        try systemctl.run("enable", "--now", UserService.socketUnit)
        let console = invocation.console
        console.note(
            "systemd listens at '\(invocation.locator.socket)' and starts '\(program)' with the first client"
                + (hadOne ? "; the daemon that ran was stopped" : ""))
        sayLingering()
        let keys = KeyVariable.names(in: invocation.environment)
        if !keys.isEmpty {
            console.note(
                "\(keys.joined(separator: ", ")) is set in this shell, and no service sees that: 'convo setup' puts a key into the configuration"
            )
        }
        return .success
    }

    /// Puts a unit in place; one that says something else is kept beside it, since somebody may have written into it.
    private func write(_ unit: String, as name: String) throws(PosixError) {
        let bytes = Array(unit.utf8)
        if try Files.status(path(name))?.kind == .regular, try Files.read(path(name), limit: 1 << 20) != bytes
        {
            var kept = name + ".old", number = 2
            while try Files.status(path(kept)) != nil {
                (kept, number) = ("\(name).old\(number)", number + 1)
            }
            try Files.rename(path(name), to: path(kept))
            invocation.console.note(
                "'\(path(name))' said something else and is '\(kept)' now; what is to stay belongs into 'systemctl --user edit \(name)'"
            )
        }
        try Files.replace(path(name), with: bytes)
    }

    /// The paths that somebody named: a service does not see this shell.
    private var named: DaemonLocator.Flags {
        var flags = invocation.locator.flags
        flags.configuration = flags.configuration ?? invocation.locator.namedConfiguration.map(Files.absolute)
        let database = invocation.environment["CONVOD_DATABASE"].flatMap { $0.isEmpty ? nil : $0 }
        flags.database = flags.database ?? database.map(Files.absolute)
        return flags
    }

    func uninstall() throws(CommandError) -> ExitCode {
        guard try isAnyInstalled() else {
            invocation.console.note("there is no service of this user's: nothing was removed")
            return .success
        }
        if systemctl.isThere {
            for unit in try installed() { try systemctl.run("disable", "--now", unit) }
        }
        do throws(PosixError) {
            try Files.remove(path(UserService.socketUnit))
            try Files.remove(path(UserService.serviceUnit))
        } catch { throw CommandError(.failure, "cannot remove the units: \(error.description)") }
        if systemctl.isThere { try systemctl.run("daemon-reload") }
        invocation.console.note(
            "the service is gone; conversations and configuration stay, and 'convo' starts a daemon where none runs"
        )
        return .success
    }

    func status() throws(CommandError) -> ExitCode {
        let console = invocation.console
        guard try isInstalled(UserService.socketUnit) else {
            console.print("not installed; 'convo service install' does it")
            saySystems()
            return .notFound
        }
        console.print("installed in '\(directory)'")
        guard systemctl.isThere else {
            console.print("no systemd of this user's runs here")
            return .failure
        }
        var isListening = false
        for unit in [UserService.socketUnit, UserService.serviceUnit] {
            let active = systemctl.ask("is-active", unit), enabled = systemctl.ask("is-enabled", unit)
            if unit == UserService.socketUnit { isListening = active == "active" }
            console.print("\(unit): \(active), \(enabled)")
        }
        sayLingering()
        if !isListening {
            console.note("systemd does not listen; 'systemctl --user enable --now convod.socket' begins it")
        }
        return isListening ? .success : .failure
    }

    /// Whether the machine has a service of its own, as the package brings it.
    private func saySystems() {
        let system = Systemctl(invocation.environment, isOfUser: false)
        let enabled = system.ask("is-enabled", UserService.socketUnit)
        // What it says where there is none, by its age.
        if ["unknown", "not-found"].contains(enabled) { return }
        let active = system.ask("is-active", UserService.socketUnit)
        invocation.console.note(
            "the machine has a service of its own, '\(UserService.socketUnit)': \(active), \(enabled); 'systemctl status convod' tells of it"
        )
    }

    /// Whether the user's systemd outlives the sessions (logind.conf(5), loginctl(1)).
    private func sayLingering() {
        let name = Process.userName(Process.userID) ?? ""
        // Where that cannot be looked at nothing is known, and the advice is good all the same.
        let lingers = (try? Files.status("/var/lib/systemd/linger/\(name)")) ?? nil
        invocation.console.note(
            lingers != nil
                ? "this user lingers: the daemon goes on when you log out"
                : "the daemon ends when you log out for the last time; 'loginctl enable-linger' lets it go on"
        )
    }
}

/// The units of `systemd/user`, for the program and the paths of one user.
private struct UserUnits {
    let socket: String
    let service: String

    /// `flags` are the paths that the daemon is to have, `socket` is where it listens.
    init(program: String, flags: DaemonLocator.Flags, socket path: String, runtimeDirectory: String?) {
        var words = [program]
        if let path = flags.configuration { words += ["--config", path] }
        if let path = flags.database { words += ["--database", path] }
        let common = runtimeDirectory.map { $0 + "/convod/convod.sock" } == path
        let shipped = unsafe (socket: schema_user_socket.text, service: schema_user_service.text)
        socket = UserUnits.setting(
            "ListenStream", to: common ? "%t/convod/convod.sock" : UserUnits.literal(path),
            in: shipped.socket)
        service = UserUnits.setting(
            "ExecStart", to: words.map(UserUnits.word).joined(separator: " "), in: shipped.service)
    }

    /// A unit in which a setting that stands in it once has another value.
    private static func setting(_ name: String, to value: String, in unit: String) -> String {
        unit.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix(name + "=") ? "\(name)=\(value)" : String($0) }
            .joined(separator: "\n")
    }

    /// Text that systemd takes as it stands (systemd.unit(5), specifiers).
    private static func literal(_ text: String) -> String { text.replacing("%", with: "%%") }

    /// A word of a command line (systemd.service(5), command lines).
    private static func word(_ text: String) -> String {
        let safe = literal(text).replacing("$", with: "$$")
        let isPlain = safe.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x41...0x5A).contains($0) || (0x30...0x39).contains($0)
                || Array("/._-+:@%".utf8).contains($0)
        }
        if isPlain { return safe }
        return "\"" + safe.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

/// The user's systemd, by its own command.
private struct Systemctl {
    private let environment: [String: String]
    private let program: String?
    /// Whether it is the user's own systemd that is asked, and not the machine's.
    private let isOfUser: Bool

    init(_ environment: [String: String], isOfUser: Bool = true) {
        self.isOfUser = isOfUser
        self.environment = environment
        program = Files.program("systemctl", path: environment["PATH"])
    }

    /// Whether there is one that answers.
    var isThere: Bool {
        guard let said = try? output(["is-system-running"]) else { return false }
        return said.words != "offline" && !said.words.isEmpty
    }

    func mustRun() throws(CommandError) {
        guard program != nil else {
            throw CommandError(
                .failure, "there is no 'systemctl' here: without systemd 'convo start' runs the daemon")
        }
        guard isThere else {
            throw CommandError(
                .failure,
                "no systemd of this user's runs here (is this a container, or a session of 'su'?); 'convo start' runs the daemon without it"
            )
        }
    }

    /// What a question is answered with, in a word.
    func ask(_ words: String...) -> String {
        guard let said = try? output(words) else { return "unknown" }
        return said.words.isEmpty ? "unknown" : said.words
    }

    func run(_ words: String...) throws(CommandError) {
        let said: (code: Int32, words: String)
        do throws(PosixError) { said = try output(words, withErrors: true) } catch {
            throw CommandError(.failure, "cannot run 'systemctl': \(error.description)")
        }
        guard said.code == 0 else {
            throw CommandError(
                .failure, "'systemctl --user \(words.joined(separator: " "))' failed: \(said.words)")
        }
    }

    /// Starts it with what it says on `writing`, which is closed here: its end tells that it has said all.
    private func started(
        _ program: String, _ words: [String], _ writing: consuming Descriptor, _ withErrors: Bool
    ) throws(PosixError) -> Int32 {
        try Process.start(
            program, (isOfUser ? ["--user"] : []) + words, environment: environment,
            streams: Process.Streams(output: writing.raw, error: withErrors ? writing.raw : nil))
    }

    private func output(_ words: [String], withErrors: Bool = false) throws(PosixError) -> (
        code: Int32, words: String
    ) {
        guard let program else { throw PosixError("run", "systemctl", errno: 2) }
        let pipe = try Process.pipe()
        let reading = Descriptor(owning: pipe.reading)
        let child = try started(program, words, Descriptor(owning: pipe.writing), withErrors)
        var bytes: [UInt8] = []
        while let got = try System.read(reading.raw, into: &bytes, most: 4_096), got > 0 {}
        let code: Int32 = if case .exited(let code)? = try Process.reap(child) { code } else { 1 }
        let lines = String(decoding: bytes.prefix(4_096), as: UTF8.self).split(separator: "\n")
        return (code, lines.joined(separator: "; "))
    }
}
