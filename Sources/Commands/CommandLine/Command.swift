/// One verb of the command line.
struct Command: Sendable {
    let name: String
    let summary: String
    /// The positional arguments, as usage shows them.
    var arguments = ""
    /// How many positional arguments it takes.
    var count = 0...0
    var options: [Option] = []
    /// What the summary does not say, in whole lines.
    var details = ""
    let run: @Sendable (Invocation) throws(CommandError) -> ExitCode

    /// All commands, sorted by name.
    static let all: [Command] = [
        .acp, .alias, .archive, .audit, .backup, .bench, .branches, .chat, .check, .compact, .completion,
        .config,
        .context,
        .doctor,
        .edit,
        .exclude, .export, .failures,
        .fork, .goOn,
        .help,
        .importing, .include,
        .list, .logs, .man, .metrics, .models, .pin,
        .prune, .purge, .redact, .rename, .restart, .restore, .retry,
        .remove, .rpc,
        .search, .send, .service, .set, .setup, .show, .start, .stats, .status, .stop, .summaries, .switch,
        .tag, .tail,
        .template,
        .unarchive,
        .unpin,
        .untag,
        .upstreams, .usage, .why, .window,
    ].sorted { $0.name < $1.name }

    /// What is done without a verb: on a terminal a session is chosen and gone on in; nil for nothing.
    static func alone(_ parsed: ParsedArguments, _ console: Console) -> Command? {
        let isTalk = StandardInput.isTerminal && console.isOutputTerminal && console.isColored
        return isTalk && !parsed.has(.help) ? .pick : nil
    }
}

/// An option of a command, or one that every command takes.
struct Option: Sendable, Equatable {
    /// One letter, without its dash.
    var short: Character?
    /// The name without its dashes.
    let long: String
    /// What its value is called, nil for a flag.
    var value: String?
    let help: String

    /// As usage and errors show it.
    var spelling: String { (short.map { "-\($0), " } ?? "") + "--\(long)" + (value.map { " \($0)" } ?? "") }
}

extension Option {
    static let color = Option(
        long: "color", value: "WHEN", help: "colour: auto, always or never (NO_COLOR counts too)")
    static let config = Option(long: "config", value: "FILE", help: "configuration file of the daemon")
    static let database = Option(long: "database", value: "FILE", help: "database of the daemon")
    static let help = Option(short: "h", long: "help", help: "show this help")
    static let quiet = Option(short: "q", long: "quiet", help: "no notices on standard error, only errors")
    static let socket = Option(long: "socket", value: "PATH", help: "socket of the daemon")
    static let version = Option(long: "version", help: "show the version")

    /// What every command takes, in any place.
    static let everywhere: [Option] = [.color, .config, .database, .help, .quiet, .socket, .version]

    static let `continue` = Option(short: "c", long: "continue", help: "the session that convo used last")
    static let ephemeral = Option(
        long: "ephemeral", help: "make a session in memory only, gone with the daemon")
    static let json = Option(long: "json", help: "print JSON")
    static let jsonl = Option(long: "jsonl", help: "print JSON, a record a line")
    static let model = Option(short: "m", long: "model", value: "MODEL", help: "ask this model")
    static let new = Option(long: "new", value: "ID", help: "make a new session with this ID")
    static let session = Option(
        short: "s", long: "session", value: "ID", help: "an ID, its beginning or end (4 or more), @1, @2 …")
    static let system = Option(long: "system", value: "TEXT", help: "system prompt of the session")
    static let upstream = Option(
        short: "u", long: "upstream", value: "NAME", help: "ask this upstream or route")
}

/// What a command ends with; part of the contract.
enum ExitCode: Int32, Sendable {
    case success = 0
    case failure = 1
    case usage = 2
    case notFound = 3
    case noDaemon = 4
    case upstream = 5
    /// The terminal is gone, as of SIGHUP.
    case hungUp = 129
    /// Ctrl-C, as a shell says it of a process that SIGINT ended.
    case cancelled = 130
    /// Nobody reads the output any more, as of SIGPIPE.
    case closedPipe = 141
    /// As of SIGTERM.
    case terminated = 143
}

/// Why a command ends without having done its work.
struct CommandError: Error, Sendable {
    let code: ExitCode
    /// One line for a person: what, where, what to do next.
    let message: String

    init(_ code: ExitCode, _ message: String) {
        self.code = code
        self.message = message
    }

    static func usage(_ message: String) -> CommandError { CommandError(.usage, message) }
}
