internal import ConvoClient
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
    func connect() throws(CommandError) -> Client { try connected().client }

    /// The same, with which daemon it is.
    func connected() throws(CommandError) -> (client: Client, identity: DaemonIdentity) {
        let client: Client
        let identity: DaemonIdentity
        do throws(ClientError) {
            let known: DaemonIdentity?
            (client, known) = try served()
            identity = if let known { known } else { try client.identity() }
        } catch { throw CommandError(error) }
        try checkPlaces(identity)
        return (client, identity)
    }

    /// A connection that somebody serves: one to a daemon that has just been killed is closed at the first word, and
    /// then another daemon is found or started.
    private func served() throws(ClientError) -> (Client, DaemonIdentity?) {
        let starter = DaemonStarter(locator, environment: environment)
        for _ in 0..<2 {
            let client = try starter.connect()
            do throws(ClientError) { return (client, try client.identity()) } catch {
                switch error.code {
                case .closed: continue
                case .remote: throw error  // whom it does not take it tells so, and closes
                default: return (client, nil)
                }
            }
        }
        return (try starter.connect(), nil)
    }

    /// A connection to the daemon that runs already and which it is, nil when none does.
    func running() throws(CommandError) -> (client: Client, identity: DaemonIdentity)? {
        let client: Client
        do { client = try locator.connect() } catch {
            if case .untrusted = error.code { throw CommandError(error) }
            if let problem = locator.forbidden { throw CommandError(ClientError(.cannotConnect, problem)) }
            return nil
        }
        let identity: DaemonIdentity
        do throws(ClientError) { identity = try client.identity() } catch {
            let pid = locator.lockOwner()?.pid ?? client.peer.pid
            let problem = CommandError(error)
            throw CommandError(problem.code, "\(problem.message) (process \(pid))")
        }
        try checkPlaces(identity)
        return (client, identity)
    }

    /// The daemon that runs already, and which it is.
    func runningDaemon() throws(CommandError) -> (client: Client, identity: DaemonIdentity) {
        if let found = try running() { return found }
        let problem = locator.unreachable ?? "no daemon runs; 'convo start' starts one"
        throw CommandError(.noDaemon, problem)
    }

    /// The daemon must be the one that is meant: nothing is done on another's.
    private func checkPlaces(_ daemon: DaemonIdentity) throws(CommandError) {
        // A system's daemon tells its administrators alone.
        guard
            let other = locator.difference(database: daemon.database, configuration: daemon.configuration)
        else { return }
        throw CommandError(
            .failure,
            "the daemon at '\(daemon.socket)' runs on '\(other.running)', not on '\(other.meant)': give '\(other.flag) \(other.running)' to use it, or a --socket of its own to have another"
        )
    }
}

extension CommandError {
    /// What a failed call means for the exit code.
    init(_ error: ClientError) {
        switch error.code {
        case .untrusted: self.init(.failure, error.description)
        case .cannotConnect, .cannotStart: self.init(.noDaemon, error.description)
        case .closed, .protocolViolation: self.init(.failure, error.description)
        case .timedOut: self.init(.noDaemon, error.description)
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
            .contextOverflow, .throttled, .quota, .paused:
            .upstream
        // Cut by the daemon's own end, which its sentence begins with, or by the upstream.
        case .interrupted: error.message.hasPrefix("the daemon ") ? .failure : .upstream
        default: .failure
        }
    }
}
