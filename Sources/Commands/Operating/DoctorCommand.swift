internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol
internal import Typesetting

extension Command {
    static let doctor = Command(
        name: "doctor", summary: "look whether all is well, and say what to do where it is not",
        options: [.json],
        details: """
            Looks at the configuration, the keys, the socket, the database and its file system, the clock, the libraries and
            each upstream; starts no daemon and makes no call that costs something. Where no daemon runs it reads the whole
            database, and changes nothing in it. Ends with 1 where something is wrong.
            """
    ) { invocation throws(CommandError) in
        var doctor = Doctor(invocation)
        doctor.examine()
        if invocation.has(.json) {
            invocation.console.print(json: doctor.findings)
        } else {
            for finding in doctor.findings { finding.print(on: invocation.console) }
        }
        return doctor.findings.contains { $0.state == .wrong } ? .failure : .success
    }
}

/// What was looked at, and how it is.
struct Finding: Encodable {
    enum State: String, Encodable {
        case well, note, warning, wrong
    }

    let state: State
    /// What was looked at.
    let about: String
    /// How it is, in one sentence.
    let words: String
    /// What to do; absent where nothing is to be done.
    var advice: String?

    func print(on console: Console) {
        let (mark, style): (String, Console.Style) =
            switch state {
            case .well: ("✓", .green)
            case .note: ("·", .dim)
            case .warning: ("!", .yellow)
            case .wrong: ("✗", .red)
            }
        let text = "\(TextWidth.padded(about, to: 13)) \(words)\(advice.map { ": \($0)" } ?? "")"
        guard console.isOutputTerminal else {
            return console.print("\(state.rawValue)\t\(about)\t\(words)\t\(advice ?? "")")
        }
        let lines = TextWidth.wrapped(
            Console.harmless(text, keepingLines: false), to: max(30, console.columns - 3))
        for (index, line) in lines.enumerated() {
            console.print((index == 0 ? console.styled(mark, style) : " ") + " " + line)
        }
    }
}

/// Looks at a daemon and at what it stands on.
struct Doctor {
    private let invocation: Invocation
    private(set) var findings: [Finding] = []
    /// What a daemon that is started now would lack.
    private var lacks: [String] = []

    init(_ invocation: Invocation) { self.invocation = invocation }

    private var locator: DaemonLocator { invocation.locator }

    private mutating func say(
        _ state: Finding.State, _ about: String, _ words: String, _ advice: String? = nil
    ) {
        findings.append(Finding(state: state, about: about, words: words, advice: advice))
    }

    mutating func examine() {
        examineConfiguration()
        let running = Result { () throws(CommandError) in try invocation.running() }
        // One that cannot be asked has nothing open that is known of; what is wrong with it is said below.
        let openPath = try? running.get()?.identity.database
        examineDatabase(isOpen: openPath == locator.database)
        let found: (client: Client, identity: DaemonIdentity)?
        do throws(CommandError) { found = try running.get() } catch {
            return say(.wrong, "daemon", error.message, wayOut)
        }
        guard let client = found?.client else { return examineWithoutDaemon() }
        let info: Method.ServerInfo.Result
        do throws(CommandError) { info = try client.info() } catch {
            return say(.wrong, "daemon", error.message, wayOut)
        }
        examineDaemon(info)
        examineLibraries(info)
        examineStore(client)
        do throws(CommandError) { try examineClock(client) } catch {
            say(.wrong, "sessions", error.message)
        }
        do throws(CommandError) { try examineUpstreams(client, info) } catch {
            say(.wrong, "upstreams", error.message)
        }
    }

    /// What to do about a daemon that does not answer.
    private var wayOut: String {
        let end = locator.lockOwner().map {
            "'kill \($0.pid)' ends it, 'kill -9 \($0.pid)' where that does not"
        }
        return "'convo logs' may say why"
            + (end.map { "; \($0), and nothing that was answered is lost" } ?? "")
    }

    private mutating func examineWithoutDaemon() {
        if !locator.isLockFree() {
            let owner = locator.lockOwner().map { "process \($0.pid)" } ?? "a process"
            return say(
                .wrong, "daemon", "\(owner) has the database and does not answer at '\(locator.socket)'",
                wayOut)
        }
        if let problem = startProblem { return say(.wrong, "daemon", problem.words, problem.advice) }
        do throws(ClientError) {
            _ = try DaemonStarter(locator, environment: invocation.environment).executable()
            say(
                .note, "daemon", "none runs at '\(locator.socket)'",
                "'convo start' starts one, any command does")
        } catch { say(.wrong, "daemon", error.description) }
        for words in lacks { say(.wrong, "upstreams", words, "mend that; it is read at the next start") }
    }

    /// What would keep a daemon from starting that none of the other looks tells of.
    private var startProblem: (words: String, advice: String)? {
        let database = Files.directory(of: locator.database), log = locator.locations.log
        for directory in [database, Files.directory(of: log)] {
            // One that is not there yet is made where the one above it lets that be.
            var known = directory
            while (try? Files.status(known, follows: true)) == nil, known.count > 1 {
                known = Files.directory(of: known)
            }
            if !Files.isWritable(known) {
                return ("none can start: '\(known)' may not be written to", "let its user write there")
            }
        }
        for file in [locator.database, log] where (try? Files.status(file, follows: true)) != nil {
            if !Files.isWritable(file) {
                return ("none can start: '\(file)' may not be written to", "chmod 600 '\(file)'")
            }
        }
        if let problem = socketProblem { return problem }
        if let free = Files.freeBytes(database), free < Doctor.leastRoom {
            return ("none can start: the disk of '\(database)' is full", "make room there")
        }
        return nil
    }

    /// What would keep a daemon from listening.
    private var socketProblem: (words: String, advice: String)? {
        let socket = locator.socket, directory = Files.directory(of: socket)
        let advice = "give another with --socket, CONVOD_SOCKET or 'socket.path'"
        if socket.utf8.count > UnixSocket.longestPath {
            return (
                "none can start: the socket's path '\(socket)' has \(socket.utf8.count) bytes, and may have \(UnixSocket.longestPath)",
                advice
            )
        }
        // What cannot be looked at is told of by the directory below.
        if let there = try? Files.status(socket), there.kind != .socket {
            return ("none can start: '\(socket)' is there and is no socket", "move it away, or \(advice)")
        }
        if let problem = locator.locations.problem(listeningIn: directory) {
            return ("none can start: \(problem)", advice)
        }
        if let lock = try? Files.status(socket + ".lock"), lock.kind != .regular {
            return (
                "none can start: '\(socket).lock' is there and is no file of a daemon's",
                "move it away, or \(advice)"
            )
        }
        var known = directory
        // A link that leads nowhere is there all the same.
        while (try? Files.status(known)) == nil, known.count > 1 { known = Files.directory(of: known) }
        guard let status = try? Files.status(known, follows: true), status.kind == .directory else {
            return ("none can start: '\(known)' is no directory, and the socket is to be below it", advice)
        }
        if !Files.isWritable(known) {
            return ("none can start: '\(known)' may not be written to, and the socket is to be there", advice)
        }
        return nil
    }

    /// Bytes that a daemon needs to open its database: those of the log's index and of its first page.
    private static let leastRoom: Int64 = 64 << 10

    /// What a short look into the store finds, or why there can be none; others than administrators are not told.
    private mutating func examineStore(_ client: Client) {
        let told: Method.StoreCheck.Result
        do throws(ClientError) {
            told = try client.call(
                Method.StoreCheck.self, JSONWriter.object { $0.member("quick", true) })
        } catch {
            // A daemon of another version, which may not know it, is told of already.
            let passed: [ErrorKind] = [.permissionDenied, .methodNotFound]
            if let kind = error.remote.flatMap({ ErrorKind(rawValue: $0.kind) }), passed.contains(kind) {
                return
            }
            return say(.wrong, "store", error.description)
        }
        if told.findings.isEmpty {
            return say(
                .well, "store", "sessions and branches fit each other; 'convo check' looks at all of it")
        }
        say(
            .wrong, "store",
            "\(Times.count(told.findings.count, "thing")) in the database not as they should be",
            "'convo check' says which, 'convo check --repair' mends what can be")
    }

    private mutating func examineConfiguration() {
        let path = locator.configuration
        do throws(PosixError) {
            guard let status = try Files.status(path, follows: true) else {
                return say(
                    .note, "configuration", "no file at '\(path)': what the environment has is used",
                    "'convo setup' writes one")
            }
            if status.owner != Process.userID, status.owner != 0 {
                let owner = Process.userName(status.owner).map { "'\($0)'" } ?? "\(status.owner)"
                return say(
                    .wrong, "configuration",
                    "'\(path)' belongs to user \(owner), who can name programs in it that run as you",
                    "look at it, and 'chown' it")
            }
            if status.mode & 0o022 != 0 {
                return say(
                    .wrong, "configuration",
                    "others may write '\(path)' (mode \(String(status.mode & 0o777, radix: 8)))",
                    "chmod go-w '\(path)'")
            }
            // The daemon itself reads it, as it would at a start.
            do throws(ClientError) {
                lacks = try DaemonStarter(locator, environment: invocation.environment).check()
                    .filter { !$0.contains("no 'model' is set") }
                say(.well, "configuration", path)
            } catch {
                say(
                    .wrong, "configuration", error.description,
                    "mend it; 'convo help configuration' has every key")
            }
        } catch { say(.wrong, "configuration", "cannot look at '\(path)': \(error.reason)") }
    }

    /// `isOpen` where the daemon that answers has it open.
    private mutating func examineDatabase(isOpen isSaid: Bool) {
        let path = locator.database, directory = Files.directory(of: path)
        if let kind = Files.networkFileSystem(directory) {
            say(
                .wrong, "database", "'\(path)' lies on \(kind), where SQLite's locks do not hold",
                "set 'database.path' to a local disk")
        }
        if let free = Files.freeBytes(directory), free < 256 << 20 {
            say(
                free < Doctor.leastRoom ? .wrong : .warning, "disk",
                "\(Times.number(Int(free >> 20))) MiB are free where the database lies",
                "make room: a full disk refuses prompts, and loses nothing")
        }
        // A daemon has a lock on both; that of the file itself is nobody's any more where the file was replaced, and neither is
        // found where their directory was moved.
        let isOpen = isSaid || !locator.isLockFree() || FileLocks.isLocked(path)
        do throws(PosixError) {
            guard let status = try Files.status(path, follows: true) else {
                if try Files.status(path) != nil {
                    return say(
                        .wrong, "database", "'\(path)' is a link to something that is not there",
                        "bring back what it leads to, or take the link away")
                }
                guard isOpen else {
                    return say(.note, "database", "none yet at '\(path)'", "the first prompt makes it")
                }
                return say(
                    .wrong, "database", "'\(path)' was removed or moved while a daemon has it open",
                    "put it back, or 'convo export --all' what can still be read")
            }
            guard status.kind == .regular else {
                return say(
                    .wrong, "database", "'\(path)' is no file that a database could be in",
                    "move it away, or set 'database.path'")
            }
            let megabytes = Double(status.size) / 1_048_576
            let size =
                megabytes < 10
                ? "\(Times.number(Int(status.size))) bytes" : "\(Times.number(Int(megabytes))) MiB"
            if status.mode & 0o077 != 0 {
                say(
                    .wrong, "database",
                    "others may read '\(path)' (mode \(String(status.mode & 0o777, radix: 8)))",
                    "chmod 600 '\(path)'")
            } else if isOpen || status.size == 0 {
                say(.well, "database", "\(path), \(size)")
            } else {
                examineClosed(path, size)
            }
        } catch { say(.wrong, "database", "cannot look at '\(path)': \(error.reason)") }
    }

    /// Reads a database that no daemon has open from one end to the other.
    private mutating func examineClosed(_ path: String, _ size: String) {
        invocation.console.progress("reading \(path) …")
        defer { invocation.console.progress(nil) }
        let problem: String?
        do throws(ClientError) {
            problem = try DaemonStarter(locator, environment: invocation.environment).problem(ofCopy: path)
        } catch {
            return say(
                .wrong, "database", "\(path), \(size); it could not be looked at: \(error.description)",
                "mend that; a start needs it too")
        }
        // What a daemon that was started meanwhile writes is no damage, and it is asked by itself.
        guard let problem, locator.isLockFree(), !FileLocks.isLocked(path) else {
            return say(.well, "database", "\(path), \(size)")
        }
        // A newer build's file, or another program's, is whole.
        let isDamaged = problem.contains("damaged") || problem.contains("not a database")
        say(
            .wrong, "database", "'\(path)', which no daemon has open: \(problem)",
            isDamaged ? "'convo backup --restore FILE' puts a copy in its place" : nil)
    }

    private mutating func examineDaemon(_ info: Method.ServerInfo.Result) {
        if info.version == Version.text {
            say(
                .well, "daemon",
                "convod \(info.version), process \(info.pid), up \(Times.duration(milliseconds: info.uptimeMs))"
            )
        } else {
            say(
                .warning, "daemon", "convod \(info.version) runs, this is convo \(Version.text)",
                "'convo restart' starts the other version")
        }
        // A socket whose status cannot be read was connected to all the same.
        let mode = (try? Files.status(info.socket, follows: true))?.mode ?? 0
        let isOpen = mode & 0o007 != 0
        say(
            isOpen ? .warning : .well, "socket",
            info.socket + (isOpen ? ", which everybody may connect to" : ""),
            isOpen
                ? "set 'socket.mode' to '0600' or '0660'; the daemon asks the kernel who connects in any case"
                : nil)
        if let notice = info.notice { say(.warning, "daemon", notice) }
    }

    /// Faults of the libraries that concern convod (known-faults of SQLite's WAL, of libcurl's pauses), and whether it meets them.
    private mutating func examineLibraries(_ info: Method.ServerInfo.Result) {
        let sqlite = Doctor.version(in: info.engine)
        if sqlite.lexicographicallyPrecedes([3, 51, 3]) {
            say(
                .note, "SQLite",
                "\(info.engine) can spoil a WAL that two connections checkpoint at once; only one of convod's does"
            )
        } else {
            say(.well, "SQLite", info.engine)
        }
        guard let http = info.http else { return }
        let words = http.split(separator: " ").first.map(String.init) ?? http
        if http.contains("nghttp2"), Doctor.version(in: words).lexicographicallyPrecedes([8, 1]) {
            say(
                .note, "libcurl",
                "\(words) can hang where a transfer of HTTP/2 is paused; convod asks by HTTP/1.1")
        } else {
            say(.well, "libcurl", words)
        }
    }

    private static func version(in text: String) -> [Int] {
        let digits = text.drop { !$0.isNumber }.prefix { $0.isNumber || $0 == "." }
        return digits.split(separator: ".").compactMap { Int($0) }
    }

    private mutating func examineClock(_ client: Client) throws(CommandError) {
        let now = Machine.milliseconds()
        let newest = try client.ask(Method.SessionFind.self) { $0.member("limit", 1) }.sessions.first
        if now < 1_735_689_600_000 {
            say(
                .wrong, "clock", "it says \(Timestamp.text(now))", "set it: keys and tokens are refused by it"
            )
        } else if let newest, newest.updatedAt.milliseconds > now + 60_000 {
            say(
                .warning, "clock",
                "session '\(newest.id)' was changed at \(newest.updatedAt.text), which is still to come",
                "see whether the clock went back")
        } else {
            say(.well, "clock", Timestamp.text(now))
        }
    }

    private mutating func examineUpstreams(_ client: Client, _ info: Method.ServerInfo.Result)
        throws(CommandError)
    {
        let list = try client.ask(Method.UpstreamList.self).upstreams
        let models = try client.ask(Method.ModelList.self)
        if info.isOnImplicitEcho {
            say(.warning, "upstreams", "no model is configured or found", "'convo setup' asks for one")
        }
        for upstream in list {
            let name = upstream.name
            if let key = upstream.keys.first(where: { $0.state == "refused" || $0.state == "missing" }) {
                // What is not there can have its reason in the place, which says by itself what to do.
                let reason = key.reason.map { ": \($0)" } ?? ""
                let isRefused = key.state == "refused"
                say(
                    .wrong, name,
                    "its key from \(key.source) \(isRefused ? "is refused" : "cannot be read")\(reason)",
                    (isRefused || reason.isEmpty ? "put a good key there" : "mend that")
                        + "; it is read again by itself, or 'convo restart'")
            } else if info.isImplicit, upstream.kind == "ollama",
                models.errors.contains(where: { $0.upstream == name })
            {
                say(.note, name, "none runs here", "start Ollama, and it is used")
            } else if let problem = models.errors.first(where: { $0.upstream == name }) {
                say(.wrong, name, problem.message, "'convo upstreams test \(name)' says more")
            } else if upstream.breaker != "closed" {
                let reason = upstream.lastError.map { ": \($0.message)" } ?? ""
                say(
                    .warning, name, "it is left alone for a while\(reason)",
                    "'convo failures' shows what failed")
            } else {
                let own = models.models.filter { $0.upstream == name }, count = own.count
                if let model = upstream.model, !own.isEmpty, !own.contains(where: { $0.id == model }) {
                    say(
                        .warning, name,
                        "answers, but its list of \(Times.count(count, "model")) has no '\(model)'",
                        "'convo models' shows the list; a server may take names that it does not list")
                    continue
                }
                let model = upstream.model.map { ", asks \($0)" } ?? ""
                say(.well, name, "answers, \(Times.count(count, "model"))\(model)")
            }
        }
    }
}
