internal import Conversation
internal import JSON
internal import Posix
internal import Protocol
internal import Store

/// `convod`'s command line: reads it, starts the daemon, and gives the exit code.
package enum Launch {
    private struct Arguments {
        var config: String?
        var socket: String?
        var database: String?
        var isCheck = false
        var copy: String?
    }

    private static let usage = """
        usage: convod [--config FILE] [--socket PATH] [--database PATH] [--check | --check-copy FILE]

        Keeps conversations with language models and serves them on a Unix socket, in the foreground.

          --config FILE     the configuration (JSON5), else $CONVOD_CONFIG, else ~/.config/convod/config.json5
          --socket PATH     where to listen, else $CONVOD_SOCKET, else what the configuration says
          --database PATH   where conversations are kept, else $CONVOD_DATABASE, else what the configuration says
          --check           reads the configuration and ends: with 2 where no daemon would start with it, and what is
                            wrong, else with 0 and a warning for each thing that it would lack
          --check-copy FILE looks at a copy of a database from one end to the other and ends: with 1 where it is none, or
                            damaged, and what is wrong, else with 0
          --version         prints the version
        """

    /// Runs the daemon to its end.
    ///
    /// Exit codes: 0 stopped, 1 could not run, 2 usage or configuration.
    package static func main(_ arguments: [String]) -> Int32 {
        Process.fillStandardStreams()
        let environment = Process.environment
        let flags: Arguments
        switch parse(arguments) {
        case .run(let parsed): flags = parsed
        case .print(let text):
            print(text)
            return 0
        case .misused(let problem):
            complain("\(problem); 'convod --help' shows what it takes")
            return 2
        }
        if let copy = flags.copy {
            guard let problem = CopyCheck.problem(of: Files.absolute(copy)) else { return 0 }
            complain(problem)
            return 1
        }
        do {
            var options = try options(flags, environment)
            if flags.isCheck {
                do { try checkHome(options, flags, environment) } catch {
                    complain("\(error)")
                    return 2
                }
                for warning in options.configuration.warnings(environment) {
                    say("warning: ", .warning, warning)
                }
                let count = options.configuration.upstreams.count
                print(
                    "the configuration is good: \(count) upstream\(count == 1 ? "" : "s"), socket \(options.socket), database \(options.database)"
                )
                return 0
            }
            Process.forbidDumps()
            Process.closeToOthers()
            // One that is there to be measured goes with who measures it.
            if let parent = environment["CONVOD_PARENT"].flatMap({ Int32($0) }),
                !Process.endsWithParent(parent)
            {
                return 0
            }
            options.activated = try activated(environment)
            // Where it listens is the unit's affair.
            if let fd = options.activated, UnixSocket.isListening(fd) {
                guard let path = UnixSocket.path(of: fd) else {
                    throw DaemonError(
                        "the service manager's socket has no path, so that no client would find it; give ListenStream= one in the socket unit"
                    )
                }
                options.socket = path
            }
            try checkHome(options, flags, environment)
            try Daemon(options).run()
            return 0
        } catch let error as ConfigurationError {
            complain(error.description)
            return 2
        } catch {
            complain("\(error)")
            return 1
        }
    }

    private enum Parsed { case run(Arguments), print(String), misused(String) }

    private static func parse(_ arguments: [String]) -> Parsed {
        var flags = Arguments()
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let (name, inline) = split(argument)
            switch name {
            case "--help", "-h": return .print(usage)
            case "--version": return .print("convod \(Version.text)")
            case "--check": flags.isCheck = true
            case "--config", "--socket", "--database", "--check-copy":
                guard let value = inline ?? rest.popFirst(), !value.isEmpty else {
                    return .misused("'\(name)' needs a path")
                }
                if name == "--config" {
                    flags.config = value
                } else if name == "--check-copy" {
                    flags.copy = value
                } else if name == "--socket" {
                    flags.socket = value
                } else {
                    flags.database = value
                }
            default: return .misused("unknown argument '\(argument)'")
            }
        }
        return .run(flags)
    }

    private static func split(_ argument: String) -> (String, String?) {
        guard argument.hasPrefix("--"), let equals = argument.firstIndex(of: "=") else {
            return (argument, nil)
        }
        return (String(argument[..<equals]), String(argument[argument.index(after: equals)...]))
    }

    private static func options(_ flags: Arguments, _ environment: [String: String])
        throws(ConfigurationError) -> DaemonOptions
    {
        let locations = Locations.ofThisProcess
        let named = flags.config ?? environment["CONVOD_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        let file = Files.absolute(named ?? locations.configuration)
        let configuration = try configuration(at: file, isRequired: named != nil, environment)
        func chosen(_ flag: String?, _ variable: String, _ configured: String?, _ standard: String) -> String
        {
            Files.absolute(
                flag ?? environment[variable].flatMap { $0.isEmpty ? nil : $0 } ?? configured ?? standard)
        }
        var options = DaemonOptions(
            configuration: configuration,
            socket: chosen(
                flags.socket, "CONVOD_SOCKET", configuration.socketPath,
                locations.socket(isUsable: Locations.isUsable, isForeign: Locations.isForeign)),
            database: chosen(
                flags.database, "CONVOD_DATABASE", configuration.databasePath, locations.database),
            environment: environment,
            log: Log(environment: environment, write: Log.writing(to: locations.log)))
        options.configurationFile = file
        let isSocketNamed = isNamed(flags.socket, "CONVOD_SOCKET", environment)
        let isDatabaseNamed = isNamed(flags.database, "CONVOD_DATABASE", environment)
        options.reload = { () throws(ConfigurationError) in
            var read = try Launch.configuration(at: file, isRequired: named != nil, environment)
            // What stands over the file has the same place after a restart.
            if isSocketNamed { read.socketPath = configuration.socketPath }
            if isDatabaseNamed { read.databasePath = configuration.databasePath }
            return read
        }
        return options
    }

    /// Whether a path was named, by a flag or in the environment.
    private static func isNamed(_ flag: String?, _ variable: String, _ environment: [String: String]) -> Bool
    {
        flag != nil || !(environment[variable] ?? "").isEmpty
    }

    private static func configuration(
        at file: String, isRequired: Bool, _ environment: [String: String]
    ) throws(ConfigurationError) -> Configuration {
        let bytes: [UInt8]
        do { bytes = try Files.read(file, limit: 4 << 20) } catch {
            if error.isNotFound && !isRequired { return Configuration(implicitIn: environment) }
            throw ConfigurationError("cannot read the configuration '\(file)': \(error.reason)")
        }
        return try Configuration(reading: bytes, file: file)
    }

    /// Root must not make files where another user's are.
    private static func checkHome(
        _ options: DaemonOptions, _ flags: Arguments, _ environment: [String: String]
    ) throws(DaemonError) {
        let configuration = options.configuration
        var unnamed: [String] = []
        if !isNamed(flags.database ?? configuration.databasePath, "CONVOD_DATABASE", environment) {
            unnamed.append(options.database)
        }
        if options.activated == nil,
            !isNamed(flags.socket ?? configuration.socketPath, "CONVOD_SOCKET", environment)
        {
            unnamed.append(options.socket)
        }
        if let problem = ForeignHome.problem(unnamed, program: "convod") { throw DaemonError(problem) }
    }

    private static func activated(_ environment: [String: String]) throws(DaemonError) -> Int32? {
        let sockets = try ServiceManager.activatedSockets(environment: environment, pid: Process.id)
        guard sockets.count <= 1 else {
            throw DaemonError(
                "the service manager handed over \(sockets.count) sockets, one is expected; check ListenStream= in the socket unit"
            )
        }
        return sockets.first
    }

    private static func complain(_ text: String) { say("convod: ", .error, text) }

    /// Writes a line to standard error, with time and level where that is a log.
    private static func say(_ mark: String, _ level: Log.Level, _ text: String) {
        // What cannot be looked at is no file.
        let isLog = (try? Files.status("/proc/self/fd/2", follows: true))?.kind == .regular
        let start = isLog ? "\(Timestamp.text(Machine.milliseconds())) \(level.name) " : ""
        let priority = Log.isJournal(Process.environment) ? "<\(level.rawValue)>" : ""
        // Who does not read standard error does not want it.
        _ = try? System.write(2, Array("\(priority)\(start)\(mark)\(text)\n".utf8))
    }
}
