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
        let client: Client
        do { client = try served() } catch { throw CommandError(error) }
        try checkDatabase(client)
        return client
    }

    /// A connection that somebody serves: one to a daemon that has just been killed is closed at the first word, and
    /// then another daemon is found or started.
    private func served() throws(ClientError) -> Client {
        let starter = DaemonStarter(locator, environment: environment)
        for _ in 0..<2 {
            let client = try starter.connect()
            do throws(ClientError) {
                _ = try client.call(.serverInfo, JSONWriter.object { _ in }, milliseconds: 5_000)
                return client
            } catch {
                guard case .closed = error.code else { return client }
            }
        }
        return try starter.connect()
    }

    /// Connects only when a daemon runs already.
    func connectToRunning() throws(CommandError) -> Client {
        let client: Client
        do { client = try locator.connect() } catch {
            if case .untrusted = error.code { throw CommandError(error) }
            throw CommandError(.noDaemon, "no daemon runs (\(error.description)); 'convo start' starts one")
        }
        return client
    }

    /// A database that was named must be the one that the daemon has.
    private func checkDatabase(_ client: Client) throws(CommandError) {
        guard let wanted = locator.namedDatabase.map(Files.absolute) else { return }
        let running = try ServerInfo(of: client).database
        // A system's daemon tells its administrators alone.
        if running == wanted || running.isEmpty { return }
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
        case .untrusted: self.init(.failure, error.description)
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
