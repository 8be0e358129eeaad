internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

/// One run of a command: its arguments, where it prints, where the daemon is.
struct Invocation {
    let arguments: ParsedArguments
    let console: Console
    let environment: [String: String]
    let locator: DaemonLocator

    var positionals: [String] { arguments.positionals }
    func value(_ option: Option) -> String? { arguments.value(option) }
    func has(_ option: Option) -> Bool { arguments.has(option) }

    /// Connects to the daemon, starting one when none runs.
    func connect() throws(CommandError) -> Client {
        let found: (client: Client, info: ServerInfo?)
        do throws(ClientError) { found = try served() } catch { throw CommandError(error) }
        if let info = found.info {
            try checkPlaces(info)
        } else {
            try checkPlaces(ServerInfo(of: found.client))
        }
        return found.client
    }

    /// A connection that somebody serves: one to a daemon that has just been killed is closed at the first word, and
    /// then another daemon is found or started.
    private func served() throws(ClientError) -> (Client, ServerInfo?) {
        let starter = DaemonStarter(locator, environment: environment)
        for _ in 0..<2 {
            let client = try starter.connect()
            do throws(ClientError) {
                let view = try client.call(.serverInfo, JSONWriter.object { _ in }, milliseconds: 5_000)
                return (client, ServerInfo(view: view))
            } catch {
                guard case .closed = error.code else { return (client, nil) }
            }
        }
        return (try starter.connect(), nil)
    }

    /// A connection to the daemon that runs already and what it says of itself, nil when none does.
    func running() throws(CommandError) -> (client: Client, info: ServerInfo)? {
        let client: Client
        do { client = try locator.connect() } catch {
            if case .untrusted = error.code { throw CommandError(error) }
            return nil
        }
        let info: ServerInfo
        do throws(CommandError) { info = try ServerInfo(of: client) } catch {
            let pid = locator.lockOwner()?.pid ?? client.peer.pid
            throw CommandError(error.code, "\(error.message) (process \(pid))")
        }
        try checkPlaces(info)
        return (client, info)
    }

    /// The daemon that runs already, with what it says of itself.
    func runningDaemon() throws(CommandError) -> (client: Client, info: ServerInfo) {
        if let found = try running() { return found }
        let problem = locator.unreachable ?? "no daemon runs; 'convo start' starts one"
        throw CommandError(.noDaemon, problem)
    }

    /// The daemon must be the one that is meant: nothing is done on another's.
    private func checkPlaces(_ info: ServerInfo) throws(CommandError) {
        // A system's daemon tells its administrators alone.
        guard
            let other = locator.difference(database: info.database, configuration: info.configuration)
        else { return }
        throw CommandError(
            .failure,
            "the daemon at '\(info.socket)' runs on '\(other.running)', not on '\(other.meant)': give '\(other.flag) \(other.running)' to use it, or a --socket of its own to have another"
        )
    }
}

extension CommandError {
    /// What a failed call means for the exit code.
    init(_ error: ClientError) {
        switch error.code {
        case .untrusted: self.init(.failure, error.description)
        case .cannotConnect, .cannotStart: self.init(.noDaemon, error.description)
        case .closed, .protocolViolation, .timedOut: self.init(.failure, error.description)
        case .remote(let remote):
            self.init(CommandError.code(of: remote), Wording.forPeople(error.description))
        }
    }

    private static func code(of error: RemoteError) -> ExitCode {
        switch ErrorKind(rawValue: error.kind) {
        // An upstream, a route or a model that was named and is not there.
        case .invalidParams where error.message.hasPrefix("there is no "): .notFound
        case .invalidParams, .methodNotFound: .usage
        case .notFound: .notFound
        case .cancelled: .cancelled
        case .upstreamAuth, .upstreamUnavailable, .upstreamTimeout, .upstreamRefused, .upstreamProtocol,
            .interrupted, .throttled,
            .quota, .paused:
            .upstream
        default: .failure
        }
    }
}
