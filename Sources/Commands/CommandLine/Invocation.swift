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
    func connect() throws(CommandError) -> Client {
        let client: Client
        do { client = try DaemonStarter(locator, environment: environment).connect() } catch {
            throw CommandError(error)
        }
        try checkDatabase(client)
        return client
    }

    /// Connects only when a daemon runs already.
    func connectToRunning() throws(CommandError) -> Client {
        let client: Client
        do { client = try locator.connect() } catch {
            throw CommandError(.noDaemon, "no daemon runs (\(error.description)); 'convo start' starts one")
        }
        return client
    }

    /// A database that was named must be the one that the daemon has.
    private func checkDatabase(_ client: Client) throws(CommandError) {
        guard let wanted = locator.namedDatabase.map(Files.absolute) else { return }
        let running = try ServerInfo(of: client).database
        if running == wanted { return }
        if let a = try? Files.status(running), let b = try? Files.status(wanted), a.inode == b.inode,
            a.size == b.size
        {
            return
        }
        throw CommandError(
            .failure,
            "the running daemon has '\(running)', not '\(wanted)'; stop it with 'convo stop', or give a --socket of its own"
        )
    }
}

extension CommandError {
    /// What a failed call means for the exit code.
    init(_ error: ClientError) {
        switch error.code {
        case .cannotConnect, .cannotStart: self.init(.noDaemon, error.description)
        case .closed, .protocolViolation, .timedOut: self.init(.failure, error.description)
        case .remote(let remote): self.init(CommandError.code(ofKind: remote.kind), error.description)
        }
    }

    private static func code(ofKind kind: String) -> ExitCode {
        switch ErrorKind(rawValue: kind) {
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
