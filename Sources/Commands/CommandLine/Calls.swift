internal import ConvoClient
internal import JSON
internal import Protocol

/// What a daemon of any version says of itself: enough to tell whether it is the one that is meant, and to end it.
///
/// All else of `Method.ServerInfo` is asked of one that speaks as this build does: 'convo restart' must end any other.
struct DaemonIdentity: Decodable {
    let version: String
    let pid: Int
    let socket: String
    /// Nil where it is not told: administrators are.
    let database: String?
    let configuration: String?
}

extension Client {
    /// Which daemon it is; one that does not answer within five seconds is an error.
    func identity() throws(ClientError) -> DaemonIdentity {
        try call(.serverInfo, as: DaemonIdentity.self, milliseconds: 5_000)
    }

    /// A call whose failure ends the command.
    func ask<C: Contract>(
        _ contract: C.Type, milliseconds: Int? = nil, _ members: (inout JSONWriter) -> Void = { _ in }
    ) throws(CommandError) -> C.Result {
        do { return try call(contract, JSONWriter.object(members), milliseconds: milliseconds) } catch {
            throw otherVersion(error) ?? CommandError(error)
        }
    }

    /// What there is to do where the daemon does not know a request, since it is another version's; nil where it is not.
    private func otherVersion(_ error: ClientError) -> CommandError? {
        // Of one that does not tell its version there is no more to say than it said.
        guard case .remote(let remote) = error.code, remote.kind == ErrorKind.methodNotFound.rawValue,
            let version = (try? identity())?.version, version != Version.text
        else { return nil }
        return CommandError(
            .failure,
            "convod \(version) runs, which cannot do this; this is convo \(Version.text): 'convo restart' starts the other version"
        )
    }

    /// What the daemon says of itself; one that does not answer within five seconds is an error.
    func info(withConfiguration: Bool = false) throws(CommandError) -> Method.ServerInfo.Result {
        try ask(Method.ServerInfo.self, milliseconds: 5_000) {
            if withConfiguration { $0.member("config", true) }
        }
    }
}

extension Method.ServerInfo.Result {
    /// The upstreams of the route that is used when nobody names one.
    var defaultRoute: [String] { routes.members["default"] ?? [] }

    /// Whether nothing was configured or found, so that the daemon only repeats what it hears.
    var isOnImplicitEcho: Bool { isImplicit && defaultRoute == ["echo"] }
}

extension Invocation {
    /// Says on standard error what a user of this daemon should know before talking.
    func warn(about info: Method.ServerInfo.Result) {
        if info.version != Version.text {
            console.note(
                "convod \(info.version) runs, this is convo \(Version.text); 'convo restart' starts the other version"
            )
        }
        guard info.isImplicit else { return }
        let known = info.environment?.keys ?? []
        for name in KeyVariable.names(in: environment) where !known.contains(name) {
            console.note(
                "\(name) is set here, but the running daemon was started without it; 'convo restart' would use it"
            )
        }
    }
}
